// Copied into github.com/emersion/go-smtp by test_round_trip.py: a session over TCP from any bytes.
package smtp_test

import (
	"io"
	"log"
	"net"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

type anyone struct{}

func (anyone) NewSession(*smtp.Conn) (smtp.Session, error) { return anyone{}, nil }

func (anyone) Mail(string, *smtp.MailOptions) error { return nil }

func (anyone) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (anyone) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func (anyone) Reset() {}

func (anyone) Logout() error { return nil }

func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n",
		"HELO me\r\nMAIL FROM:<a@b> SIZE=10\r\nRSET\r\nNOOP\r\nVRFY x\r\nHELP\r\n",
		"EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\nabcBDAT 0 LAST\r\n",
		"EHLO me\r\nAUTH PLAIN AGEAYg==\r\nSTARTTLS\r\n",
	} {
		f.Add([]byte(seed))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	server := smtp.NewServer(anyone{})
	server.Domain = "localhost"
	server.AllowInsecureAuth = true
	server.MaxMessageBytes = 1 << 16
	server.ReadTimeout, server.WriteTimeout = time.Second, time.Second
	server.ErrorLog = log.New(io.Discard, "", 0)
	go server.Serve(listener)
	f.Cleanup(func() { server.Close() })
	f.Fuzz(func(t *testing.T, session []byte) {
		if len(session) > 1<<14 {
			return
		}
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Skip(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(2 * time.Second))
		conn.Write(session)
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
	})
}
