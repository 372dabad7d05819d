package embedded

import (
	"context"
	"fmt"
	"net/url"
	"sync"

	"github.com/alicebob/miniredis/v2"

	"github.com/leanmq/leanmq/internal/store"
)

// Notice is for whoever opens an embedded store to log once. The package
// itself prints nothing.
const Notice = "the embedded store keeps messages in the memory of this process only: they are gone when it ends"

func init() { store.RegisterScheme("mem", opened.open) }

// Server is a running embedded store.
type Server struct {
	redis *miniredis.Miniredis
	url   string
	stop  chan struct{}
	clock sync.WaitGroup
	close sync.Once
	stand *standing // nil: the clock runs
}

// Start starts an empty store that the caller closes.
func Start() (*Server, error) {
	redis := miniredis.NewMiniRedis()
	if err := redis.Start(); err != nil {
		return nil, fmt.Errorf("start embedded store: %w", err)
	}
	s := &Server{redis: redis, url: "redis://" + redis.Addr(), stop: make(chan struct{})}
	s.clock.Go(func() { runClock(s.redis, s.stop) })
	return s, nil
}

// URL is where the store is reached, by any Redis client. It stays the same
// after Close.
func (s *Server) URL() string { return s.url }

// Close ends the store and every connection to it, and waits until its
// goroutines have returned. Its error is always nil.
func (s *Server) Close() error {
	s.close.Do(func() {
		close(s.stop)
		s.clock.Wait()
		s.redis.Close()
	})
	return nil
}

// registry holds the stores that have a name.
type registry struct {
	mu    sync.Mutex
	named map[string]*sharedServer
}

type sharedServer struct {
	*Server
	users int
}

var opened = registry{named: map[string]*sharedServer{}}

// open is the store.Opener of mem URLs.
func (r *registry) open(_ context.Context, u *url.URL) (redisURL string, release func() error, err error) {
	name, err := storeName(u)
	if err != nil {
		return "", nil, err
	}
	if name == "" {
		s, err := Start()
		if err != nil {
			return "", nil, err
		}
		return s.URL(), s.Close, nil
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.named[name]
	if s == nil {
		started, err := Start()
		if err != nil {
			return "", nil, err
		}
		s = &sharedServer{Server: started}
		r.named[name] = s
	}
	s.users++
	return s.URL(), sync.OnceValue(func() error { return r.release(name, s) }), nil
}

func (r *registry) release(name string, s *sharedServer) error {
	r.mu.Lock()
	s.users--
	last := s.users == 0
	if last {
		delete(r.named, name)
	}
	r.mu.Unlock()
	if !last {
		return nil
	}
	return s.Close()
}

// storeName is the name in mem://name; nothing else may be in the URL, lest a
// setting is believed to have an effect.
func storeName(u *url.URL) (string, error) {
	switch {
	case u.User != nil:
		return "", &store.URLError{Reason: "an embedded store has no user and no password: write mem://name"}
	case u.Path != "":
		return "", &store.URLError{Reason: "an embedded store takes no path: write mem:// or mem://name"}
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", &store.URLError{Reason: "an embedded store takes no parameters: write mem:// or mem://name"}
	case u.Host != u.Hostname():
		return "", &store.URLError{Reason: "an embedded store has a name, not a host and port: write mem://name"}
	}
	return u.Host, nil
}
