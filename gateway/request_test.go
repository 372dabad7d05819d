package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestRequestReturnsTheAnswer(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		gw := newGateway(t, open(t, url))
		ctx := t.Context()

		got, err := gateway.Request[confirmation](ctx, gw, "/orders/create", order{"ada", 2}) // without a method it is POST
		if want := (confirmation{"42", order{"ada", 2}}); got != want || err != nil {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
		got, err = gateway.Request[confirmation](ctx, gw, "GET /orders/42?item=a&item=b%20c", nil)
		if want := (confirmation{"42", order{"a+b c", 1}}); got != want || err != nil {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
		if _, err := gateway.Request[struct{}](ctx, gw, "DELETE /orders/42", nil); err != nil {
			t.Error(err)
		}
		if p, err := gateway.Request[*confirmation](ctx, gw, "DELETE /orders/42", nil); p != nil || err != nil {
			t.Errorf("an empty answer: %v, %v", p, err)
		}
		if b, err := gateway.Request[[]byte](ctx, gw, "GET /bytes", nil); string(b) != "\x00\xff\n" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		raw, err := gateway.Request[json.RawMessage](ctx, gw, "PUT /seen/a%2Fb?x=1", json.RawMessage(`{ }`))
		if string(raw) != `["PUT","/seen/a%2Fb","x=1","{ }"]` || err != nil {
			t.Errorf("%s, %v", raw, err)
		}
		if seen, err := gateway.Request[[]string](ctx, gw, "/seen", []byte("\x01")); err != nil || seen[0] != "POST" || seen[3] != "\x01" {
			t.Errorf("%q, %v", seen, err)
		}
		if w := gw.Stats(); w.Waiting != 0 || w.Dropped != 0 {
			t.Errorf("%+v", w)
		}
	})
}

func TestRequestFailsWithTheProblemThatTheHandlerAnswered(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		gw := newGateway(t, open(t, url))
		for _, tt := range []struct {
			path   string
			v      any
			status int
			detail string
			fields int
		}{
			{"GET /orders/7", nil, 404, `there is no order "7"`, 0},
			{"/orders/create", order{"", 10}, 422, "", 2},
			{"/orders/create", map[string]int{"admin": 1}, 422, "", 1},
			{"/orders/create", []byte("{"), 400, "", 0},
			{"/error", nil, 500, "", 0},
			{"/panic", nil, 500, "", 0},
			{"/busy", nil, 503, "come back later", 0},
			{"/status/418", nil, 418, "", 0},
		} {
			_, err := gateway.Request[confirmation](t.Context(), gw, tt.path, tt.v)
			var p *webhook.Problem
			if !errors.As(err, &p) {
				t.Errorf("%s: %v is no Problem", tt.path, err)
				continue
			}
			if p.Status != tt.status || p.Title != http.StatusText(tt.status) || !strings.Contains(p.Detail, tt.detail) || len(p.Fields) != tt.fields {
				t.Errorf("%s: %+v", tt.path, p)
			}
			if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("%s: the error tells too much or too little: %v", tt.path, err)
			}
		}
		if _, err := gateway.Request[int](t.Context(), gw, "GET /orders/42", nil); err == nil || status(err) != 0 || !strings.Contains(err.Error(), "int") {
			t.Errorf("an answer of another type: %v", err)
		}
	})
}

func TestRequestToAPathThatNobodyServes(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		mq := open(t, url)
		gw := newGateway(t, mq, gateway.Timeout(time.Hour))
		begin := time.Now()
		for path, want := range map[string]int{
			"/nowhere":         404,
			"GET /orders":      404,
			"GET /a//b":        404,
			"GET /a/../b":      404,
			"/orders/42":       405,
			"PUT /orders/42":   405,
			"get /orders/42":   405,
			"GET /orders/42/":  0, // a trailing slash means nothing
			"HEAD /orders/42":  0, // GET answers it as well
			"GET /orders/%342": 0,
		} {
			if _, err := gateway.Request[struct{}](t.Context(), gw, path, nil); status(err) != want || (want == 0) != (err == nil) {
				t.Errorf("%s: %v, want %d", path, err, want)
			}
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %v: that there is no route is known at once", took)
		}
		var p *webhook.Problem
		if _, err := gateway.Request[struct{}](t.Context(), gw, "/orders/42", nil); !errors.As(err, &p) || strings.Join(p.Allow, " ") != "DELETE GET HEAD" {
			t.Errorf("%+v", p)
		}
		for _, path := range []string{"", "GET", "orders"} {
			if _, err := gateway.Request[struct{}](t.Context(), gw, path, nil); !errors.Is(err, leanmq.ErrInvalid) {
				t.Errorf("%q: %v, want ErrInvalid", path, err)
			}
		}
		i, err := mq.Queue("unrouted").Info(t.Context())
		if err != nil || i.Ready+i.Scheduled+i.InFlight != 0 {
			t.Errorf("the gateway parked something: %+v, %v", i, err)
		}
	})
}

func TestRequestWithoutAReplyEndsAtItsDeadline(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		mq := open(t, url)
		const soon = time.Second // enough to be sent
		for name, tt := range map[string]struct {
			caller  time.Duration
			gateway time.Duration
		}{
			"the caller's":  {soon, time.Hour},
			"the gateway's": {time.Hour, soon},
		} {
			gw := newGateway(t, mq, gateway.Timeout(tt.gateway))
			ctx, cancel := context.WithTimeout(t.Context(), tt.caller)
			defer cancel()
			begin := time.Now()
			_, err := gateway.Request[struct{}](ctx, gw, "/slow", nil)
			took := time.Since(begin)
			if !errors.Is(err, leanmq.ErrNoReply) || !errors.Is(err, context.DeadlineExceeded) || status(err) != 504 {
				t.Errorf("%s: %v, want ErrNoReply, DeadlineExceeded and status 504", name, err)
			}
			if took > soon+2*time.Second {
				t.Errorf("%s: it took %v", name, took)
			}
			if w := gw.Stats().Waiting; w != 0 {
				t.Errorf("%s: %d still wait", name, w)
			}
		}
	})
}

// A handler that calls another service passes on its own context, whose end has a
// cause of LeanMQ's.
func TestRequestTellsItsEndByTheContextAndItsCause(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		gw := newGateway(t, open(t, url))
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, leanmq.ErrExpired)
		defer cancel()
		_, err := gateway.Request[struct{}](ctx, gw, "/slow", nil)
		if !errors.Is(err, leanmq.ErrNoReply) || !errors.Is(err, leanmq.ErrExpired) || status(err) != 504 {
			t.Errorf("%v, want ErrNoReply, ErrExpired and status 504", err)
		}
		lost, lose := context.WithCancelCause(t.Context())
		lose(leanmq.ErrLeaseLost)
		_, err = gateway.Request[struct{}](lost, gw, "/slow", nil)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, leanmq.ErrLeaseLost) || status(err) != 499 {
			t.Errorf("%v, want Canceled, ErrLeaseLost and status 499", err)
		}
	})
}

func TestRequestEndsWhenItIsCancelled(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		serve(t, url)
		gw := newGateway(t, open(t, url), gateway.Timeout(time.Hour))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := gateway.Request[struct{}](ctx, gw, "/slow", nil)
			ended <- err
		}()
		until(t, "it waits", func() bool { return gw.Stats().Waiting == 1 })
		cancel()
		if err := receive(t, ended); !errors.Is(err, context.Canceled) || errors.Is(err, leanmq.ErrNoReply) || status(err) != 499 {
			t.Errorf("%v, want Canceled", err)
		}
		if w := gw.Stats().Waiting; w != 0 {
			t.Errorf("%d still wait", w)
		}
	})
}

// The reply that comes after its caller has gone is dropped, and fails nobody.
func TestLateReplyIsDropped(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		began, goOn := make(chan bool, 2), make(chan bool)
		s := webhook.NewService("late", open(t, url))
		s.Handle("/late", func(context.Context, *webhook.Request) (*webhook.Response, error) {
			began <- true
			<-goOn
			return &webhook.Response{Body: []byte(`"late"`)}, nil
		})
		s.Handle("/next", func(context.Context, *webhook.Request) (*webhook.Response, error) {
			return &webhook.Response{Body: []byte(`"next"`)}, nil
		})
		run(t, s)
		gw := newGateway(t, open(t, url))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := gateway.Request[string](ctx, gw, "/late", nil)
			ended <- err
		}()
		receive(t, began)
		cancel()
		if err := receive(t, ended); err == nil {
			t.Error("it has got a reply that was not sent yet")
		}
		close(goOn)
		until(t, "the late reply is dropped", func() bool { return gw.Stats().Dropped == 1 })
		if got, err := gateway.Request[string](t.Context(), gw, "/next", nil); got != "next" || err != nil {
			t.Errorf("the next request: %q, %v", got, err)
		}
	})
}

func TestGatewaysNeverSeeEachOthersReplies(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const callers, each = 100, 5
		for range 2 {
			s := webhook.NewService("echo", open(t, url))
			s.Handle("/echo/{id}", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
				return &webhook.Response{Body: []byte(r.PathValue("id") + "|" + string(r.Body))}, nil
			})
			run(t, s)
		}
		mq := open(t, url)
		gateways := []*gateway.Gateway{newGateway(t, mq), newGateway(t, mq)} // even of one client
		var wg sync.WaitGroup
		for g, gw := range gateways {
			for i := range callers {
				wg.Go(func() {
					for j := range each {
						id, body := fmt.Sprintf("%d-%d-%d", g, i, j), strings.Repeat("x", i)
						got, err := gateway.Request[[]byte](t.Context(), gw, "/echo/"+id, []byte(body))
						if string(got) != id+"|"+body || err != nil {
							t.Errorf("%s: %q, %v", id, got, err)
						}
					}
				})
			}
		}
		wg.Wait()
		for _, gw := range gateways {
			if s := gw.Stats(); s.Waiting != 0 || s.Dropped != 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}
