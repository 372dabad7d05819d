package gateway_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/internal/redistest"
)

// healed makes requests until one is answered with 200, and checks that those
// before it were told to come back.
func healed(t *testing.T, c *http.Client, url string, within time.Duration) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		r := call(t, c, "GET", url, "")
		switch r.StatusCode {
		case 200:
			return
		case 503, 504:
		default:
			t.Errorf("after %v: %d %s", time.Since(begin), r.StatusCode, r.body)
		}
		if time.Since(begin) > within {
			t.Fatalf("not within %v: the last answer was %d %s", within, r.StatusCode, r.body)
		}
	}
}

func TestOutageIsA503ThatEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*redistest.RedisServer){
		"stopped": (*redistest.RedisServer).Stop,
		"killed":  (*redistest.RedisServer).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Server(t)
			serve(t, server.URL())
			const timeout = time.Second
			base, c := listen(t, newGateway(t, open(t, server.URL()), gateway.Timeout(timeout))), client(t)
			if r := call(t, c, "GET", base+"/orders/42", ""); r.StatusCode != 200 {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
			for range 2 { // it can do so more than once
				end(server)
				for _, path := range []string{"/orders/42", "/nowhere"} {
					begin := time.Now()
					r := call(t, c, "GET", base+path, "")
					if took := time.Since(begin); took > timeout+5*time.Second {
						t.Errorf("%s: it took %v", path, took)
					}
					if path == "/nowhere" && r.StatusCode == 404 {
						continue // that is still known
					}
					if p := r.problem(t); r.StatusCode != 503 || p.Status != 503 || p.RequestID == "" || r.Header.Get("Retry-After") != "1" {
						t.Errorf("%s: %d %v %s", path, r.StatusCode, r.Header, r.body)
					}
				}
				server.Start()
				healed(t, c, base+"/orders/42", 10*time.Second)
			}
		})
	}
}

func TestGatewayThatStartsDuringAnOutage(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	serve(t, server.URL())
	mq := open(t, server.URL())
	server.Stop()
	base, c := listen(t, newGateway(t, mq)), client(t)
	if r := call(t, c, "GET", base+"/orders/42", ""); r.StatusCode != 503 || r.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	server.Start()
	// It has never seen the routes, and until they are registered again there are none.
	until(t, "it serves", func() bool { return call(t, c, "GET", base+"/orders/42", "").StatusCode == 200 })
}

// Everything is gone while all are connected: the routes, the queues and their
// groups, and the gateway's inbox.
func TestRequestsWorkAgainAfterAFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	serve(t, server.URL())
	base, c := listen(t, newGateway(t, open(t, server.URL()), gateway.Timeout(time.Second))), client(t)
	late := listen(t, newGateway(t, open(t, server.URL()), gateway.Timeout(time.Second))) // has never seen the routes
	if r := call(t, c, "GET", base+"/orders/42", ""); r.StatusCode != 200 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	opts, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(opts)
	defer func() { _ = rdb.Close() }()
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	healed(t, c, base+"/orders/42", 10*time.Second)
	begin := time.Now()
	until(t, "a new gateway finds the routes", func() bool { return call(t, c, "GET", late+"/orders/42", "").StatusCode == 200 })
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A Redis that accepts connections and does not answer is the slowest of outages:
// nobody waits for longer than it said, even while others do.
func TestRequestsKeepTheirDeadlineWhenRedisHangs(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	serve(t, server.URL())
	mq := open(t, server.URL())
	used, unused := newGateway(t, mq), newGateway(t, mq)
	if _, err := gateway.Request[struct{}](t.Context(), used, "GET /orders/42", nil); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	defer server.Resume() // and only then is everything closed
	var wg sync.WaitGroup
	request := func(gw *gateway.Gateway, path string, patience time.Duration) {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			begin := time.Now()
			_, err := gateway.Request[struct{}](ctx, gw, path, nil)
			if s := status(err); s != 503 && s != 504 && s != 404 {
				t.Errorf("%s: %v", path, err)
			}
			if took := time.Since(begin); took > patience+2*time.Second { // less than the first one waits
				t.Errorf("%s: it took %v, want %v", path, took, patience)
			}
		})
	}
	for _, gw := range []*gateway.Gateway{used, unused} {
		for _, path := range []string{"GET /orders/42", "/nowhere"} {
			request(gw, path, 2500*time.Millisecond)
			for range 10 {
				time.Sleep(time.Millisecond) // the first one shall be first
				request(gw, path, 100*time.Millisecond)
			}
		}
	}
	wg.Wait()
}
