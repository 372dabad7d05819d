package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Store is a connection to Redis. It is safe for concurrent use.
type Store struct {
	rdb     *redis.Client // never blocked on
	opts    redis.Options // what further clients are made from
	keys    Keys
	pipe    *pipe
	release func() error
	closing sync.Once
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
	opts, err := redis.ParseURL(redisURL)
	if err != nil {
		_ = release()
		return nil, &URLError{Reason: urlReason(redisURL)}
	}
	opts.Protocol = 2
	opts.DisableIdentity = true
	s := newStore(*opts, prefix)
	s.release = release
	if err := s.rdb.Ping(ctx).Err(); err != nil {
		_ = s.Close()
		return nil, classify(err)
	}
	return s, nil
}

// New makes a store from a client's options. It opens connections of its own:
// the client's would resend a command whose reply was lost, and be blocked by
// readers.
func New(client redis.UniversalClient, prefix string) (*Store, error) {
	c, ok := client.(*redis.Client)
	if !ok {
		return nil, fmt.Errorf("%T is not supported: pass a *redis.Client", client)
	}
	s := newStore(*c.Options(), prefix)
	s.release = func() error { return nil }
	return s, nil
}

// quiet silences go-redis' own logger, which writes a line to stderr for every
// failed dial. There is one for the whole program, so it is done once: a program
// that wants it back calls redis.SetLogger after its first Open.
var quiet = sync.OnceFunc(func() { redis.SetLogger(&logging.VoidLogger{}) })

func newStore(opts redis.Options, prefix string) *Store {
	quiet()
	opts.MaxRetries = -1
	opts.DialerRetries = 1
	opts.ContextTimeoutEnabled = true // for Open; later commands have no caller's context
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if opts.ReadTimeout == 0 {
		opts.ReadTimeout = commandTimeout
	}
	s := &Store{opts: opts, keys: Keys{prefix}}
	o := opts
	s.rdb = redis.NewClient(&o)
	s.pipe = &pipe{rdb: s.rdb}
	return s
}

// Close ends the connections. It waits for commands that are under way. Closing
// twice is fine.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		s.pipe.close()
		err = s.rdb.Close()
		if rerr := s.release(); err == nil {
			err = rerr
		}
	})
	return err
}

// Ping reports whether the server answers.
func (s *Store) Ping(ctx context.Context) error {
	cmd := redis.NewStatusCmd(ctx, "PING")
	if err := s.pipe.do(ctx, cmd); err != nil {
		return classify(err)
	}
	return classify(cmd.Err())
}

// Now is the server's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	cmd := redis.NewTimeCmd(ctx, "TIME")
	if err := s.pipe.do(ctx, cmd); err != nil {
		return time.Time{}, classify(err)
	}
	return cmd.Val(), classify(cmd.Err())
}

// eval runs a script in the next batch.
func (s *Store) eval(ctx context.Context, sc *script, keys []string, args ...any) (any, error) {
	cmd := sc.cmd(ctx, keys, args...)
	if err := s.pipe.do(ctx, cmd); err != nil {
		return nil, classify(err)
	}
	v, err := cmd.Result()
	return v, classify(err)
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
