package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/fliliy/chat/deploy/fleet"
)

// nameServer plays the DNS of a cluster: gateway g finds the chatsvc replicas under the name g.chatsvc, each behind a
// proxy of its own, as it would find them under one name in production.
type nameServer struct {
	conn     net.PacketConn
	all      *fleet.Addresses
	replicas int
	stopped  chan struct{}
}

func startNames(all *fleet.Addresses, replicas int) (*nameServer, error) {
	conn, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", all.At(dnsOctet, dnsPort))
	if err != nil {
		return nil, fmt.Errorf("listen for DNS: %w", err)
	}
	s := &nameServer{conn: conn, all: all, replicas: replicas, stopped: make(chan struct{})}
	go s.serve()
	return s, nil
}

// target is the gRPC target of chatsvc for a gateway.
func (s *nameServer) target(gateway int) string {
	return fmt.Sprintf("dns://%s/%d.chatsvc.test:%d", s.conn.LocalAddr(), gateway, grpcPort)
}

func (s *nameServer) close() error {
	err := s.conn.Close()
	<-s.stopped
	return err
}

func (s *nameServer) serve() {
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

func (s *nameServer) answer(query []byte) ([]byte, error) {
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
	label, known := strings.CutSuffix(question.Name.String(), ".chatsvc.test.")
	gateway, err := strconv.Atoi(label)
	if !known || err != nil || gateway < 0 || gateway >= maxNodes {
		reply.RCode = dnsmessage.RCodeNameError
		return reply.Pack()
	}
	for replica := range s.replicas {
		if question.Type != dnsmessage.TypeA {
			break
		}
		address := netip.MustParseAddr(s.all.IP(chatsvcOctet + gateway*maxNodes + replica)).As4()
		reply.Answers = append(reply.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: address},
		})
	}
	return reply.Pack()
}
