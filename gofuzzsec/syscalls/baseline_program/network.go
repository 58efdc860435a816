package main

import (
	"net"
	"os"
	"sync"
	"time"
)

// network waits in the poller, is woken out of it, and runs into deadlines.
func network() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return // no network here: the pipe below uses the poller as well
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				buffer := make([]byte, 16)
				n, _ := conn.Read(buffer)
				time.Sleep(time.Millisecond)
				_, _ = conn.Write(buffer[:n])
				conn.Close()
			}()
		}
	}()
	var wg sync.WaitGroup
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				return
			}
			defer conn.Close()
			_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_, _ = conn.Write([]byte("ping"))
			_, _ = conn.Read(make([]byte, 16))
			_, _ = conn.Read(make([]byte, 16))
		}()
	}
	wg.Wait()
	listener.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return
	}
	go func() {
		time.Sleep(time.Millisecond)
		writer.Close()
	}()
	_, _ = reader.Read(make([]byte, 1))
}
