package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Store is a connection to Redis: to one server, to the master that sentinels name,
// or to a cluster. It is safe for concurrent use.
type Store struct {
	opts    redis.Options // what further connections are made from
	keys    Keys
	pipe    sender
	waits   waiter        // the same, for what is to be replicated
	cluster *cluster      // nil: one server
	rdb     *redis.Client // to the one server; never blocked on
	release func() error
	closing sync.Once
}

// sender runs commands; see the methods of pipe.
type sender interface {
	do(ctx context.Context, cmd redis.Cmder) error
	doAll(ctx context.Context, cmds []redis.Cmder) error
}

// waiter runs commands that are to be replicated; see wait.go.
type waiter interface {
	doWait(ctx context.Context, cmds []redis.Cmder, w Wait) (copies, error)
}

// commandTimeout bounds the wait for a server that accepts connections and
// does not answer.
const commandTimeout = 3 * time.Second

// Open connects to the server that the URL means and checks that it answers.
func Open(ctx context.Context, rawURL, prefix string) (*Store, error) {
	redisURL, release, err := resolve(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	to, err := parseURL(redisURL)
	if err != nil {
		_ = release()
		return nil, err
	}
	to.opts.Protocol = 2
	to.opts.DisableIdentity = true
	s := newStore(to, prefix)
	s.release = release
	if err := s.knock(ctx); err != nil {
		_ = s.Close()
		return nil, classify(err)
	}
	return s, nil
}

// New makes a store from a client's options. It opens connections of its own:
// the client's would resend a command whose reply was lost, and be blocked by
// readers.
func New(client redis.UniversalClient, prefix string) (*Store, error) {
	var s *Store
	switch c := client.(type) {
	case *redis.Client:
		s = newStore(target{opts: *c.Options()}, prefix)
	case *redis.ClusterClient:
		if c.Options().ClusterSlots != nil {
			return nil, errors.New("a ClusterClient with ClusterSlots is not supported: its servers are no Redis Cluster")
		}
		s = newStore(clusterTarget(c.Options()), prefix)
	default:
		return nil, fmt.Errorf("%T is not supported: pass a *redis.Client or a *redis.ClusterClient", client)
	}
	s.release = func() error { return nil }
	return s, nil
}

// knock is a Ping that ctx ends on its way, so that Close does not wait for it. It
// also finds out that a server is not what the URL says.
func (s *Store) knock(ctx context.Context) error {
	if s.cluster == nil {
		// What cannot be asked (by who must not, or miniredis) need not be known.
		info, _ := s.rdb.Info(ctx, "cluster").Result()
		if strings.Contains(info, "cluster_enabled:1") {
			return &URLError{Reason: "the server belongs to a Redis Cluster: write redis+cluster:// instead of redis://"}
		}
		return s.rdb.Exists(ctx, s.keys.Queues()).Err()
	}
	n, err := s.cluster.at(ctx, s.cluster.home)
	if err != nil && strings.Contains(err.Error(), "cluster support disabled") {
		return &URLError{Reason: "the server is no Redis Cluster: write redis:// instead of redis+cluster://"}
	}
	if err != nil {
		return err
	}
	return n.rdb.Exists(ctx, s.keys.Queues()).Err()
}

// quiet silences go-redis' own logger, which writes a line to stderr for every
// failed dial. There is one for the whole program, so it is done once: a program
// that wants it back calls redis.SetLogger after its first Open.
var quiet = sync.OnceFunc(func() { redis.SetLogger(&logging.VoidLogger{}) })

func newStore(to target, prefix string) *Store {
	quiet()
	opts := to.opts
	opts.MaxRetries = -1
	opts.DialerRetries = 1
	opts.ContextTimeoutEnabled = true // for Open; later commands have no caller's context
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if opts.ReadTimeout == 0 {
		opts.ReadTimeout = commandTimeout
	}
	s := &Store{opts: opts, keys: Keys{prefix}}
	if to.cluster != nil {
		s.cluster = newCluster(opts, to.cluster, Slot(s.keys.Queues()))
		s.pipe, s.waits = s.cluster, s.cluster
		return s
	}
	s.rdb = redis.NewClient(&opts)
	s.pipe, s.waits = newPipe(s.rdb, opts), &pipe{rdb: s.rdb}
	return s
}

// IsCluster reports whether the keys are spread over the masters of a Redis
// Cluster: what happens at once has to have one hash tag then.
func (s *Store) IsCluster() bool { return s.cluster != nil }

// Close ends the connections. It waits for commands that are under way. Closing
// twice is fine.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		if s.cluster != nil {
			err = s.cluster.close()
		} else {
			s.pipe.(*pipe).close()
			s.waits.(*pipe).close()
			err = s.rdb.Close()
		}
		if rerr := s.release(); err == nil {
			err = rerr
		}
	})
	return err
}

// Ping reports whether the server answers; of a cluster, the master that has the
// names of the queues. It reads a key: PING itself is answered by any node.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.count(ctx, "EXISTS", s.keys.Queues())
	return err
}

// Now is the server's clock; of a cluster, that of the master Ping asks.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	return ask(ctx, s, redis.NewTimeCmd(ctx, "TIME"))
}

// asking is a command of go-redis with a result.
type asking[T any] interface {
	redis.Cmder
	Result() (T, error)
}

// ask runs a command in the next batch and returns its result.
func ask[T any](ctx context.Context, s *Store, cmd asking[T]) (T, error) {
	if err := s.pipe.do(ctx, cmd); err != nil {
		var none T
		return none, classify(err)
	}
	v, err := cmd.Result()
	return v, classify(err)
}

// eval runs a script in the next batch.
func (s *Store) eval(ctx context.Context, sc *script, keys []string, args ...any) (any, error) {
	return ask(ctx, s, sc.cmd(ctx, keys, args...))
}

// list is eval for scripts that return an array.
func (s *Store) list(ctx context.Context, sc *script, keys []string, args ...any) ([]any, error) {
	v, err := s.eval(ctx, sc, keys, args...)
	if err != nil {
		return nil, err
	}
	l, ok := v.([]any)
	if !ok || len(l) == 0 {
		return nil, fmt.Errorf("%w: %T from a script", errProtocol, v)
	}
	return l, nil
}

func (s *Store) count(ctx context.Context, args ...any) (int64, error) {
	return ask(ctx, s, redis.NewIntCmd(ctx, args...))
}
