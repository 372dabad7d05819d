package gateway_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestClosedGatewayRefuses(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		mq := open(t, url)
		used, unused := newGateway(t, mq), newGateway(t, mq)
		if _, err := gateway.Request[struct{}](t.Context(), used, "GET /orders/42", nil); err != nil {
			t.Fatal(err)
		}
		for name, gw := range map[string]*gateway.Gateway{"used": used, "unused": unused} {
			for range 2 { // and once more at the end of the test
				if err := gw.Close(); err != nil {
					t.Errorf("%s: Close: %v", name, err)
				}
			}
			if _, err := gateway.Request[struct{}](t.Context(), gw, "GET /orders/42", nil); !errors.Is(err, leanmq.ErrClosed) || status(err) != 503 ||
				!strings.Contains(err.Error(), "the gateway is closed") {
				t.Errorf("%s: %v, want ErrClosed and status 503", name, err)
			}
			if s := gw.Stats(); s != (leanmq.InboxStats{}) {
				t.Errorf("%s: %+v", name, s)
			}
		}
	})
}

func TestCloseEndsRequestsThatWait(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		gw := newGateway(t, open(t, url))
		const callers = 5
		ended := make(chan error, callers)
		for range callers {
			go func() {
				_, err := gateway.Request[struct{}](t.Context(), gw, "/slow", nil)
				ended <- err
			}()
		}
		until(t, "they wait", func() bool { return gw.Stats().Waiting == callers })
		begin := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := gw.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		for range callers {
			if err := receive(t, ended); !errors.Is(err, leanmq.ErrClosed) {
				t.Errorf("%v, want ErrClosed", err)
			}
		}
		wg.Wait()
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestBadOptionFailsEveryRequest(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		for field, opt := range map[string]gateway.Option{
			"Timeout": gateway.Timeout(0), "Timeout ": gateway.Timeout(-time.Second), " Timeout": gateway.Timeout(2 * time.Hour),
			"MaxBody": gateway.MaxBody(0), " MaxBody": gateway.MaxBody(leanmq.MaxPayload + 1),
		} {
			gw := newGateway(t, mq, opt)
			_, err := gateway.Request[struct{}](t.Context(), gw, "/x", nil)
			if !errors.Is(err, leanmq.ErrInvalid) || !strings.Contains(err.Error(), strings.TrimSpace(field)) {
				t.Errorf("%s: %v, want ErrInvalid", field, err)
			}
			w := httptest.NewRecorder()
			gw.ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
			if w.Code < 500 {
				t.Errorf("%s: over HTTP it is status %d, as if it were the caller's fault", field, w.Code)
			}
		}
	})
}
