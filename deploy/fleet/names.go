package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Names plays DNS for a cluster: one name has many IPv4 addresses, as a service with replicas has in production.
type Names struct {
	conn    net.PacketConn
	records map[string][]netip.Addr
	stopped chan struct{}
}

// StartNames answers DNS on a UDP address for the names given, and for no others. The caller calls Close.
func StartNames(addr string, records map[string][]netip.Addr) (*Names, error) {
	conn, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for DNS: %w", err)
	}
	s := &Names{conn: conn, records: records, stopped: make(chan struct{})}
	go s.serve()
	return s, nil
}

// Target is the gRPC target of a name and port.
func (s *Names) Target(name string, port int) string {
	return fmt.Sprintf("dns://%s/%s:%d", s.conn.LocalAddr(), name, port)
}

// Close ends the server.
func (s *Names) Close() error {
	err := s.conn.Close()
	<-s.stopped
	return err
}

func (s *Names) serve() {
	defer close(s.stopped)
	buffer := make([]byte, 4096)
	for {
		n, from, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return // closed
		}
		if reply, err := s.answer(buffer[:n]); err == nil {
			_, _ = s.conn.WriteTo(reply, from) // who gets no answer asks again
		}
	}
}

func (s *Names) answer(query []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil || len(message.Questions) != 1 {
		return nil, errors.New("no query")
	}
	question := message.Questions[0]
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: message.ID, Response: true, Authoritative: true,
			RecursionDesired: message.RecursionDesired, RecursionAvailable: true,
		},
		Questions: message.Questions,
	}
	addresses, known := s.records[strings.TrimSuffix(question.Name.String(), ".")]
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
		return reply.Pack()
	}
	for _, address := range addresses {
		if question.Type != dnsmessage.TypeA {
			break
		}
		reply.Answers = append(reply.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: address.As4()},
		})
	}
	return reply.Pack()
}
