//go:build amd64 || arm64

package jobrunner

import (
	"bytes"
	"strconv"
	"syscall"
)

// notify sends a text as a datagram, as a service tells its manager, and prints what arrived.
func (r *run) notify(s *step) error {
	text := s.text(0)
	if len(text) > maxMessage {
		return errLongMessage
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX,
		syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(pair[0])
	defer syscall.Close(pair[1])
	if err := syscall.Sendto(pair[0], []byte(text), syscall.MSG_NOSIGNAL, nil); err != nil {
		return err
	}
	var buf [maxMessage]byte
	n, _, err := syscall.Recvfrom(pair[1], buf[:], 0)
	if err != nil {
		return err
	}
	return r.print(string(buf[:n]), "\n")
}

// serve leaves a socket in the directory after checking that a client can read a text from it.
func (r *run) serve(s *step) error {
	text := s.text(1)
	if len(text) > maxMessage {
		return errLongMessage
	}
	if _, err := r.locate(s.args[0]); err != nil {
		return err
	}
	addr, done, err := r.socketAddress(s.args[0])
	if err != nil {
		return err
	}
	defer done()
	const kind = syscall.SOCK_STREAM | syscall.SOCK_CLOEXEC | syscall.SOCK_NONBLOCK
	server, err := syscall.Socket(syscall.AF_UNIX, kind, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(server)
	if err := syscall.Bind(server, addr); err != nil {
		return err
	}
	if err := syscall.Listen(server, 1); err != nil {
		return err
	}
	client, err := syscall.Socket(syscall.AF_UNIX, kind, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(client)
	if err := syscall.Connect(client, addr); err != nil {
		return err
	}
	return r.greet(server, client, text)
}

// greet accepts one client, which is connected already, sends it a text and prints what it got.
func (r *run) greet(server, client int, text string) error {
	peer, _, err := syscall.Accept4(server, syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK)
	if err != nil {
		return err
	}
	defer syscall.Close(peer)
	if _, err := syscall.Write(peer, append([]byte(text), '\n')); err != nil {
		return err
	}
	if err := syscall.Shutdown(peer, syscall.SHUT_WR); err != nil {
		return err
	}
	var buf bytes.Buffer
	var part [256]byte
	for {
		n, err := syscall.Read(client, part[:])
		if err != nil {
			return err
		}
		if n == 0 {
			return r.print(buf.String())
		}
		buf.Write(part[:n])
	}
}

// socketAddress names a socket through a descriptor of the directory: a socket's path has at most
// 107 bytes, and the directory's own may be longer.
func (r *run) socketAddress(name string) (*syscall.SockaddrUnix, func(), error) {
	dir, err := syscall.Open(r.dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	path := "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name
	return &syscall.SockaddrUnix{Name: path}, func() { syscall.Close(dir) }, nil
}
