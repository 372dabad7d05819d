package leanmq

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/store"
)

// Client is a connection to Redis and what a process runs on it. Make one for a
// process and share it.
type Client struct {
	s         *store.Store
	log       zerolog.Logger
	instance  string       // names this client among the consumers
	skew      atomic.Int64 // server's clock minus ours, in ns
	synced    atomic.Int64 // when that was measured, in ns
	measuring sync.Mutex   // held while it is, or is set

	mws     []Middleware
	sending *sending // what is around sends; nil when nothing is
	hooks   *hooks   // nil without any

	notices noticeHub
	results resultHub

	codecs *codecSet
	sealer *sealer  // nil: payloads are stored as they are
	keys   *Keyring // that open them; nil if there are none

	untickable sync.Map // periodic jobs that were logged as such

	reading outages // of all fetchers

	mu     sync.Mutex
	engine *engine // runs while something is consumed
	shared map[any]any
	closed bool
}

// Open connects to the Redis (7.0 or newer, or Valkey) that url means and checks
// that it answers:
//
//	redis://user:password@host:6379/0
//	rediss://host:6379                 with TLS
//	unix:///path/to/redis.sock
//	mem://                             embedded, needs: import _ "github.com/leanmq/leanmq/leanmq/embedded"
//	redis+cluster://host1:6379?addr=host2:6379&addr=host3:6379
//	redis+sentinel://host1:26379?master_name=mymaster&addr=host2:26379&addr=host3:26379
//
// The addresses of a cluster are those of some of its nodes, which tell where the
// others are. Those of sentinels are asked for the master; the user and password
// before the host are for the sentinels then, and username and password in the
// query for the server. Both have a variant with TLS: rediss+cluster,
// rediss+sentinel.
//
// For the query parameters of a URL see redis.ParseURL, redis.ParseClusterURL and
// redis.ParseFailoverURL of go-redis, whose own logger the first Open silences: it
// writes a line to stderr for every failed dial. redis.SetLogger brings it back.
func Open(ctx context.Context, url string, opts ...Option) (*Client, error) {
	cfg, err := newClientConfig(opts)
	if err != nil {
		return nil, wrap("open", "", "", err)
	}
	s, err := store.Open(ctx, url, cfg.Prefix)
	if err != nil {
		return nil, wrap("open", "", "", err)
	}
	c := newClient(s, cfg)
	if strings.HasPrefix(url, "mem:") {
		c.log.Info().Msg("embedded store: nothing is persisted")
	}
	if err := c.syncClock(ctx); err != nil {
		_ = c.Close()
		return nil, wrap("open", "", "", err)
	}
	return c, nil
}

// New makes a client with the options of an existing one of go-redis: a
// *redis.Client, which may come from redis.NewFailoverClient, or a
// *redis.ClusterClient. It opens connections of its own, because those of rdb would
// repeat a command whose reply was lost and could be blocked by readers; rdb is not
// closed by Close. Only the client of a fail-over has to stay open meanwhile: it
// asks the sentinels.
func New(ctx context.Context, rdb redis.UniversalClient, opts ...Option) (*Client, error) {
	cfg, err := newClientConfig(opts)
	if err != nil {
		return nil, wrap("open", "", "", err)
	}
	s, err := store.New(rdb, cfg.Prefix)
	if err != nil {
		return nil, wrap("open", "", "", err)
	}
	c := newClient(s, cfg)
	if err := c.syncClock(ctx); err != nil {
		_ = c.Close()
		return nil, wrap("open", "", "", err)
	}
	return c, nil
}

func newClientConfig(opts []Option) (clientConfig, error) {
	cfg := clientConfig{Prefix: "leanmq", log: zerolog.Nop()}
	for _, o := range opts {
		o(&cfg)
	}
	if cfg.payload.err != nil {
		return cfg, cfg.payload.err
	}
	if err := checkMiddleware("UseAll", cfg.mws); err != nil {
		return cfg, err
	}
	var err error
	if cfg.chain, err = composeSend(cfg.sends); err != nil {
		return cfg, err
	}
	return cfg, check(&cfg)
}

func newClient(s *store.Store, cfg clientConfig) *Client {
	c := &Client{s: s, log: cfg.log, instance: newInstance(), mws: cfg.mws, hooks: newHooks(cfg.hooks, cfg.log)}
	c.sending = newSending(cfg.chain, c.hooks)
	cfg.payload.configure(c)
	c.notices.s = s
	return c
}

// newInstance is a name that tells a person where a consumer runs, and that no
// other one ever has.
func newInstance() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%.40s-%d-%s", host, os.Getpid(), newToken()[:10])
}

func newToken() string { return rand.Text() }

// Close ends the client. Consume and Request calls must have returned; later
// calls fail with [ErrClosed]. Closing twice is fine.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	c.notices.closeAll()
	return wrap("close", "", "", c.s.Close())
}

// Ping reports whether Redis answers.
func (c *Client) Ping(ctx context.Context) error {
	return wrap("ping", "", "", c.s.Ping(ctx))
}

// Store is for the packages of this module.
func (c *Client) Store() *store.Store { return c.s }

// OnNotice is for the packages of this module: it calls each for every notice
// between processes until stop is called; "" means that some may have been
// missed.
func (c *Client) OnNotice(each func(notice string)) (stop func()) {
	return c.notices.add(c.s.Notices(), each)
}

// Shared is for the packages of this module: it returns what make made for key at
// the first call, so that cheap handles can share one cache.
func (c *Client) Shared(key any, make func() any) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.shared[key]
	if !ok {
		if c.shared == nil {
			c.shared = map[any]any{}
		}
		v = make()
		c.shared[key] = v
	}
	return v
}
