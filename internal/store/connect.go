package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// target is what a URL or a client of go-redis leads to.
type target struct {
	opts    redis.Options // of each connection; without an address for a cluster
	cluster []string      // addresses of some of its nodes; nil: one server
}

// Of a URL's scheme: what comes after "redis" or "rediss".
const (
	clusterScheme  = "+cluster"
	sentinelScheme = "+sentinel"
)

// parseURL reads the URLs of all but registered schemes.
func parseURL(raw string) (target, error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	switch base, kind, _ := strings.Cut(scheme, "+"); "+" + kind {
	case clusterScheme:
		return parseClusterURL(base + "://" + rest)
	case sentinelScheme:
		return parseSentinelURL(base + "://" + rest)
	}
	opts, err := redis.ParseURL(raw)
	if err != nil {
		return target{}, &URLError{Reason: urlReason(raw)}
	}
	return target{opts: *opts}, nil
}

func parseClusterURL(raw string) (target, error) {
	opts, err := redis.ParseClusterURL(raw)
	if err != nil {
		return target{}, &URLError{Reason: severalReason(raw, "redis+cluster://host:7000?addr=host:7001&addr=host:7002")}
	}
	if u, err := url.Parse(raw); err == nil && strings.Trim(u.Path, "/0") != "" {
		return target{}, &URLError{Reason: "its path is a database number: a Redis Cluster has database 0 only, leave it out"}
	}
	return clusterTarget(opts), nil
}

func parseSentinelURL(raw string) (target, error) {
	const want = "redis+sentinel://host:26379?master_name=mymaster&addr=host2:26379"
	opts, err := redis.ParseFailoverURL(raw)
	switch {
	case err != nil:
		return target{}, &URLError{Reason: severalReason(raw, want)}
	case opts.MasterName == "":
		return target{}, &URLError{Reason: "it does not say which master the sentinels watch: want " + want}
	case opts.ReplicaOnly, opts.RouteByLatency, opts.RouteRandomly:
		return target{}, &URLError{Reason: "messages are read and written at the master: leave out replica_only, route_by_latency and route_randomly"}
	}
	return sentinelTarget(opts), nil
}

// severalReason is urlReason for URLs with several addresses.
func severalReason(raw, want string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "it cannot be parsed: want " + want
	}
	for _, addr := range u.Query()["addr"] {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return "one of its addr is not host:port: want " + want
		}
	}
	return urlReason(raw)
}

// clusterTarget takes over what go-redis hands on to the nodes of a cluster, but
// for what repeats commands or reads from replicas.
func clusterTarget(o *redis.ClusterOptions) target {
	return target{cluster: slices.Clone(o.Addrs), opts: redis.Options{
		ClientName:                   o.ClientName,
		Dialer:                       o.Dialer,
		OnConnect:                    o.OnConnect,
		Protocol:                     o.Protocol,
		Username:                     o.Username,
		Password:                     o.Password,
		CredentialsProvider:          o.CredentialsProvider,
		CredentialsProviderContext:   o.CredentialsProviderContext,
		StreamingCredentialsProvider: o.StreamingCredentialsProvider,
		DialTimeout:                  o.DialTimeout,
		ReadTimeout:                  o.ReadTimeout,
		WriteTimeout:                 o.WriteTimeout,
		PoolFIFO:                     o.PoolFIFO,
		PoolSize:                     o.PoolSize,
		PoolTimeout:                  o.PoolTimeout,
		MinIdleConns:                 o.MinIdleConns,
		MaxIdleConns:                 o.MaxIdleConns,
		MaxActiveConns:               o.MaxActiveConns,
		ConnMaxIdleTime:              o.ConnMaxIdleTime,
		ConnMaxLifetime:              o.ConnMaxLifetime,
		ConnMaxLifetimeJitter:        o.ConnMaxLifetimeJitter,
		ReadBufferSize:               o.ReadBufferSize,
		WriteBufferSize:              o.WriteBufferSize,
		PipelinePoolSize:             o.PipelinePoolSize,
		PipelineReadBufferSize:       o.PipelineReadBufferSize,
		PipelineWriteBufferSize:      o.PipelineWriteBufferSize,
		TLSConfig:                    o.TLSConfig,
		DisableIdentity:              o.DisableIdentity,
		IdentitySuffix:               o.IdentitySuffix,
	}}
}

// sentinelTarget is one server whose address the sentinels know. They are asked
// for each new connection, so that one that the old master has closed, or refuses
// to write on, leads to the new one.
func sentinelTarget(o *redis.FailoverOptions) target {
	template := redis.NewFailoverClient(o) // connects to nothing
	opts := *template.Options()
	_ = template.Close()
	s := &sentinels{
		master: o.MasterName, addrs: o.SentinelAddrs,
		opts: redis.Options{
			Username: o.SentinelUsername, Password: o.SentinelPassword, TLSConfig: o.TLSConfig,
			Protocol: 2, DisableIdentity: true, PoolSize: 1, MaxRetries: -1, DialerRetries: 1,
			DialTimeout: askTimeout, ReadTimeout: askTimeout, WriteTimeout: askTimeout, ContextTimeoutEnabled: true,
		},
		server: redis.NewDialer(&opts),
	}
	opts.Dialer = s.dial
	return target{opts: opts}
}

// sentinels tell where a master is.
type sentinels struct {
	master string
	addrs  []string
	opts   redis.Options
	server func(ctx context.Context, network, addr string) (net.Conn, error)
	last   atomic.Int64 // which one answered
}

// dial connects to the master.
func (s *sentinels) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	last := int(s.last.Load())
	var errs []error
	for i := range s.addrs {
		at := (last + i) % len(s.addrs)
		addr, err := s.ask(ctx, s.addrs[at])
		if err == nil {
			s.last.Store(int64(at))
			return s.server(ctx, network, addr)
		}
		switch {
		case errors.Is(err, redis.Nil):
			err = fmt.Errorf("sentinel %s watches no master called %q", s.addrs[at], s.master)
		case err != nil && strings.Contains(err.Error(), "unknown command"):
			err = fmt.Errorf("%s is no sentinel: for a server itself write redis:// or redis+cluster://", s.addrs[at])
		}
		errs = append(errs, err)
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: errors.Join(errs...)}
}

func (s *sentinels) ask(ctx context.Context, addr string) (string, error) {
	opts := s.opts
	opts.Addr = addr
	c := redis.NewSentinelClient(&opts)
	defer func() { _ = c.Close() }()
	master, err := c.GetMasterAddrByName(ctx, s.master).Result()
	if err != nil {
		return "", err
	}
	if len(master) != 2 {
		return "", fmt.Errorf("%w: %v from a sentinel", errProtocol, master)
	}
	return net.JoinHostPort(master[0], master[1]), nil
}
