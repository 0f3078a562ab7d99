package rpc

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/metrics"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// Defaults of Options.
const (
	DefaultCallTimeout   = 10 * time.Second
	DefaultMaxMessage    = 16 << 20
	DefaultWindow        = 4096
	DefaultWindowBytes   = 16 << 20
	DefaultMarksUnderWay = 64
	connectionAgeGrace   = 30 * time.Second
	keepaliveTime        = 30 * time.Second
	keepaliveTimeout     = 10 * time.Second
	keepaliveMinTime     = 5 * time.Second // gateways probe a silent connection every 10 s
	maxConcurrentStreams = 10_000
	chatServicePrefix    = "/fliliy.chat.v1.ChatService/"
	chatServiceName      = "fliliy.chat.v1.ChatService"
	relayServiceName     = "fliliy.chat.v1.RelayService"
)

// forServices are the methods that internal services call in nobody's name. Those that are true answer in the name of
// the acting user where the call names one.
var forServices = map[string]bool{
	chatv1.ChatService_SendNotification_FullMethodName: false,
	chatv1.ChatService_DisconnectUser_FullMethodName:   false,
	chatv1.ChatService_SetMemberState_FullMethodName:   false,
	chatv1.ChatService_CountPresence_FullMethodName:    false,
	chatv1.ChatService_GetPresence_FullMethodName:      true,
	chatv1.ChatService_ListOnlineUsers_FullMethodName:  true,
}

// Deps are the use cases behind the counter. All are needed.
type Deps struct {
	Rooms    *chat.Rooms
	Messages *chat.Messages
	Marks    *chat.Marks
	Logs     *chat.Logs
	Inbox    *chat.Inbox
	Revoked  *chat.Revocations
	Statuses *chat.Statuses
	Logger   *slog.Logger
	Metrics  metrics.Counter
}

// Options bound the server; zero values are defaults.
type Options struct {
	CallTimeout time.Duration // deadline of a unary call that brings none, and of a read mark on a relay stream
	MaxMessage  int           // bytes of a request
	// MaxConnectionAge is when a client is asked to connect anew and a relay stream ends in good order; 0 is never.
	MaxConnectionAge time.Duration
	Window           int         // commands under way per relay stream
	WindowBytes      int         // their size; one that is larger has the stream for itself
	Callers          []Caller    // who may call, and as what; empty: everybody, for a server only its own machine reaches
	MarksUnderWay    int         // read marks and typing notices of all relay streams at once
	TLS              *tls.Config // nil: plain text
}

func (o *Options) setDefaults() {
	if o.CallTimeout == 0 {
		o.CallTimeout = DefaultCallTimeout
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = DefaultMaxMessage
	}
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if o.WindowBytes == 0 {
		o.WindowBytes = DefaultWindowBytes
	}
	if o.MarksUnderWay == 0 {
		o.MarksUnderWay = DefaultMarksUnderWay
	}
}

// Server is the gRPC server. Serve runs it, Stop ends it.
type Server struct {
	grpc     *grpc.Server
	health   *health.Server
	stopping chan struct{}
	stop     sync.Once
}

// New returns a server that does not serve yet; its health is SERVING from the start.
func New(deps Deps, opts Options) *Server {
	opts.setDefaults()
	s := &Server{health: health.NewServer(), stopping: make(chan struct{})}
	guard := &guard{faults: newFaults(deps.Logger), metrics: deps.Metrics, timeout: opts.CallTimeout, stopping: s.stopping}
	known := newCallers(opts.Callers)
	secure := insecure.NewCredentials()
	if opts.TLS != nil {
		secure = credentials.NewTLS(opts.TLS)
	}
	s.grpc = grpc.NewServer(
		grpc.Creds(secure),
		grpc.ChainUnaryInterceptor(guard.measure, guard.answer, known.unary, guard.deadline, identify),
		grpc.ChainStreamInterceptor(guard.measureStream, guard.answerStream, known.stream, guard.endOnStop),
		grpc.MaxRecvMsgSize(opts.MaxMessage),
		grpc.MaxConcurrentStreams(maxConcurrentStreams),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: keepaliveTime, Timeout: keepaliveTimeout,
			MaxConnectionAge: opts.MaxConnectionAge, MaxConnectionAgeGrace: connectionAgeGrace,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMinTime, PermitWithoutStream: true}),
	)
	chatv1.RegisterChatServiceServer(s.grpc, &chatService{
		rooms: deps.Rooms, messages: deps.Messages, marks: deps.Marks, inbox: deps.Inbox, revoked: deps.Revoked,
		statuses: deps.Statuses,
	})
	chatv1.RegisterRelayServiceServer(s.grpc, &relayService{
		messages: deps.Messages, marks: deps.Marks, logs: deps.Logs, revoked: deps.Revoked, statuses: deps.Statuses,
		faults: guard.faults, metrics: deps.Metrics,
		done: deps.Metrics.RelayResults.WithLabelValues("OK"),
		opts: opts, stopping: s.stopping, marksUnderWay: make(chan struct{}, opts.MarksUnderWay),
	})
	healthv1.RegisterHealthServer(s.grpc, s.health)
	for _, name := range []string{chatServiceName, relayServiceName} {
		s.health.SetServingStatus(name, healthv1.HealthCheckResponse_SERVING)
	}
	return s
}

// Serve answers calls until Stop; it then returns nil.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.grpc.Serve(listener); err != nil {
		return fmt.Errorf("serve gRPC: %w", err)
	}
	return nil
}

// Stop tells that the service is not serving any more, ends relay streams in good order, waits for calls under way,
// and returns when all have ended. When ctx ends first, it cuts them off.
func (s *Server) Stop(ctx context.Context) {
	s.stop.Do(func() {
		s.health.Shutdown()
		close(s.stopping)
	})
	graceful := make(chan struct{})
	go func() {
		defer close(graceful)
		s.grpc.GracefulStop()
	}()
	select {
	case <-graceful:
	case <-ctx.Done():
		s.grpc.Stop()
		<-graceful
	}
}
