package lb_test

import (
	"errors"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// dns plays Docker's DNS: it answers for "gateway" with the addresses there are.
type dns struct {
	conn net.PacketConn

	mu        sync.Mutex
	addresses [][4]byte
}

func startDNS(t *testing.T) *dns {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &dns{conn: conn}
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.serve()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return d
}

func (d *dns) set(addresses ...[4]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addresses = addresses
}

func (d *dns) serve() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := d.conn.ReadFrom(buffer)
		if err != nil {
			return // closed
		}
		if reply, err := d.answer(buffer[:n]); err == nil {
			_, _ = d.conn.WriteTo(reply, from) // HAProxy asks again
		}
	}
}

func (d *dns) answer(query []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil || len(message.Questions) != 1 {
		return nil, errors.New("no query")
	}
	question := message.Questions[0]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: message.ID, Response: true, RecursionAvailable: true},
		Questions: message.Questions,
	}
	if question.Name.String() != "gateway." {
		reply.RCode = dnsmessage.RCodeNameError
		return reply.Pack()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, address := range d.addresses {
		if question.Type == dnsmessage.TypeA {
			reply.Answers = append(reply.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: address},
			})
		}
	}
	return reply.Pack()
}
