package faults

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/fliliy/chat/chatsvc/pgtest"
	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/gateway"
	"github.com/fliliy/chat/gateway/redistest"
)

// drainTime is how long a gateway spreads the departure of its clients over.
const drainTime = 5 * time.Second

// cluster is the whole system in real processes on this machine, with a proxy on every way between two of them.
type cluster struct {
	folder     string // programs and logs
	secret     string // of tokens
	peerSecret string // of gateways
	all        *fleet.Addresses
	names      *fleet.Names
	postgres   *pgtest.Server
	redis      *redistest.Server
	nats       *fleet.Process
	gateways   []*gatewayNode
	replicas   []*replicaNode
	proxies    []*Proxy // every one, to close them

	stopping sync.Once
	stopped  error // of stop
}

// gatewayNode is a gateway and its ways to others.
type gatewayNode struct {
	fleet.Node
	addr      string
	toNATS    *Proxy
	toRedis   *Proxy
	toChatsvc []*Proxy // by replica
}

// replicaNode is a chatsvc replica and its ways to others.
type replicaNode struct {
	fleet.Node
	addr   string
	toNATS *Proxy
	toSQL  *Proxy
}

// startCluster builds the programs into the folder and starts everything; it returns when all are ready. The caller
// calls stop.
func startCluster(ctx context.Context, folder string, gateways, replicas int) (*cluster, error) {
	if min(gateways, replicas) < 1 || max(gateways, replicas) > maxNodes {
		return nil, errTooMany
	}
	c := &cluster{folder: folder, secret: rand.Text() + rand.Text(), peerSecret: rand.Text() + rand.Text()}
	if err := c.start(ctx, gateways, replicas); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *cluster) start(ctx context.Context, gateways, replicas int) (err error) {
	if err := fleet.Build(ctx, c.folder, "faultpoints"); err != nil {
		return err
	}
	if c.all, err = fleet.ClaimAddresses(); err != nil {
		return err
	}
	if c.names, err = c.startNames(gateways, replicas); err != nil {
		return err
	}
	if err := c.startServers(ctx); err != nil {
		return err
	}
	for i := range replicas {
		if err := c.addReplica(i); err != nil {
			return err
		}
		if err := c.replicas[i].Restart(ctx); err != nil { // one after another: the first migrates the schema
			return err
		}
	}
	for i := range gateways {
		if err := c.addGateway(i); err != nil {
			return err
		}
		if err := c.gateways[i].Start(); err != nil {
			return err
		}
	}
	for _, g := range c.gateways {
		if err := g.AwaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// startNames lets gateway g find the chatsvc replicas under the name chatsvcName(g), each behind a proxy of its own, as
// it would find them under one name in production.
func (c *cluster) startNames(gateways, replicas int) (*fleet.Names, error) {
	records := map[string][]netip.Addr{}
	for g := range gateways {
		for r := range replicas {
			address := netip.MustParseAddr(c.all.IP(chatsvcOctet + g*maxNodes + r))
			records[chatsvcName(g)] = append(records[chatsvcName(g)], address)
		}
	}
	return fleet.StartNames(c.all.At(dnsOctet, dnsPort), records)
}

func chatsvcName(gateway int) string { return fmt.Sprintf("%d.chatsvc.test", gateway) }

// startServers starts what the services stand on.
func (c *cluster) startServers(ctx context.Context) (err error) {
	if c.postgres, err = pgtest.Start(ctx); err != nil {
		return err
	}
	if c.redis, err = redistest.Start(); err != nil {
		return err
	}
	c.nats = fleet.NewProcess(c.folder, fleet.NATS, []string{
		filepath.Join(c.folder, fleet.NATS), "-a", c.all.IP(natsOctet), "-p", fmt.Sprint(natsPort),
	}, nil)
	return c.nats.Start()
}

// proxy makes a proxy on an address of the cluster.
func (c *cluster) proxy(octet, port int, target string) (*Proxy, error) {
	p, err := NewProxy(c.all.At(octet, port), target)
	if err != nil {
		return nil, err
	}
	c.proxies = append(c.proxies, p)
	return p, nil
}

func (c *cluster) addReplica(i int) error {
	database, err := url.Parse(c.postgres.URL())
	if err != nil {
		return fmt.Errorf("read the URL of PostgreSQL: %w", err)
	}
	toSQL, err1 := c.proxy(replicaSQLOctet+i, sqlPort, database.Host)
	toNATS, err2 := c.proxy(replicaNATSOctet+i, natsPort, c.all.At(natsOctet, natsPort))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	database.Host = toSQL.Addr()
	addr, admin := c.all.At(replicaOctet+i, grpcPort), c.all.At(replicaOctet+i, adminPort)
	process := fleet.NewProcess(c.folder, fmt.Sprint(fleet.Chatsvc, i),
		[]string{filepath.Join(c.folder, fleet.Chatsvc), "serve"}, []string{
			"FLILIY_CHATSVC_ADDR=" + addr, "FLILIY_CHATSVC_ADMIN_ADDR=" + admin,
			"FLILIY_CHATSVC_DATABASE_URL=" + database.String(), "FLILIY_CHATSVC_NATS_URL=nats://" + toNATS.Addr(),
			"FLILIY_CHATSVC_LOG_FORMAT=text",
		})
	c.replicas = append(c.replicas, &replicaNode{
		Node: fleet.Node{Process: process, Admin: admin}, addr: addr, toNATS: toNATS, toSQL: toSQL,
	})
	return nil
}

func (c *cluster) addGateway(i int) error {
	g := &gatewayNode{addr: c.all.At(gatewayOctet+i, publicPort)}
	g.Admin = c.all.At(gatewayOctet+i, adminPort)
	var err1, err2 error
	g.toNATS, err1 = c.proxy(gatewayNATSOctet+i, natsPort, c.all.At(natsOctet, natsPort))
	g.toRedis, err2 = c.proxy(gatewayRedisOctet+i, redisPort, c.redis.Addr())
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for r, replica := range c.replicas {
		way, err := c.proxy(chatsvcOctet+i*maxNodes+r, grpcPort, replica.addr)
		if err != nil {
			return err
		}
		g.toChatsvc = append(g.toChatsvc, way)
	}
	g.Process = fleet.NewProcess(c.folder, fmt.Sprint(fleet.Gateway, i),
		[]string{filepath.Join(c.folder, fleet.Gateway), "serve"}, []string{
			"FLILIY_GATEWAY_ADDR=" + g.addr, "FLILIY_GATEWAY_ADMIN_ADDR=" + g.Admin,
			"FLILIY_GATEWAY_CHATSVC_TARGET=" + c.names.Target(chatsvcName(i), grpcPort), "FLILIY_GATEWAY_NATS_URL=nats://" + g.toNATS.Addr(),
			"FLILIY_GATEWAY_REDIS_URL=redis://" + g.toRedis.Addr(), "FLILIY_GATEWAY_JWT_SECRET=" + c.secret,
			"FLILIY_GATEWAY_LIMIT_DRAIN_TIME=" + drainTime.String(), "FLILIY_GATEWAY_LOG_FORMAT=text",
			"FLILIY_GATEWAY_RATE_OFF=true", "FLILIY_GATEWAY_LIMIT_CONNECTIONS_PER_ADDRESS=0",
			"FLILIY_GATEWAY_PEER_ADDR=" + c.all.At(gatewayOctet+i, peerPort), "FLILIY_GATEWAY_PEER_SECRET=" + c.peerSecret,
		})
	c.gateways = append(c.gateways, g)
	return nil
}

// token makes a token for a user, good for the whole run.
func (c *cluster) token(user string) (string, error) {
	return gateway.SignToken(c.secret, user, 24*time.Hour)
}

// urls are the base URLs of the gateways.
func (c *cluster) urls() []string {
	urls := make([]string, len(c.gateways))
	for i, g := range c.gateways {
		urls[i] = "http://" + g.addr
	}
	return urls
}

// heal makes all proxies healthy.
func (c *cluster) heal() {
	for _, p := range c.proxies {
		p.Heal()
	}
}

// stop ends everything, gateways first; what was not started is left out. Logs and programs stay in the folder. The
// second and later calls do nothing and return the same.
func (c *cluster) stop() error {
	c.stopping.Do(func() { c.stopped = c.stopAll() })
	return c.stopped
}

func (c *cluster) stopAll() error {
	var mu sync.Mutex
	var failed []error
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failed = append(failed, err)
	}
	c.heal()
	var gates sync.WaitGroup
	for _, g := range c.gateways {
		gates.Go(func() { note(g.Stop()) })
	}
	gates.Wait()
	for _, r := range c.replicas {
		note(r.Stop())
	}
	if c.nats != nil {
		note(c.nats.Stop())
	}
	if c.redis != nil {
		c.redis.Stop()
	}
	if c.postgres != nil {
		note(c.postgres.Stop())
	}
	for _, p := range c.proxies {
		note(p.Close())
	}
	if c.names != nil {
		note(c.names.Close())
	}
	if c.all != nil {
		note(c.all.Release())
	}
	return errors.Join(failed...)
}
