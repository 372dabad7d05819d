package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestResponseIsTheResultOfAMessage(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		type order struct {
			N int `json:"n"`
		}
		s := webhook.NewService("orders", open(t, url))
		webhook.Handle(s, "/double", func(_ context.Context, in order) (order, error) { return order{2 * in.N}, nil })
		webhook.On(s, "/event", func(context.Context, order) error { return nil })
		s.Handle("/bad", func(context.Context, *webhook.Request) (*webhook.Response, error) {
			return &webhook.Response{Body: []byte("not kept")}, leanmq.Reject(errors.New("no good"))
		})
		run(t, s)
		mq := open(t, url)
		result := func(path string) *leanmq.Result {
			t.Helper()
			id := send(t, mq, path, order{21}, leanmq.KeepResult(time.Minute))
			ctx, stop := context.WithTimeout(t.Context(), testkit.Patience)
			defer stop()
			r, err := queue(t, mq, "POST", path).Result(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		r := result("/double")
		var out order
		if err := json.Unmarshal(r.Payload, &out); err != nil || out.N != 42 || r.Status != leanmq.ResultDone {
			t.Errorf("%+v, %v", r, err)
		}
		if r := result("/event"); r.Status != leanmq.ResultDone || len(r.Payload) != 0 {
			t.Errorf("%+v", r)
		}
		if r := result("/bad"); r.Status != leanmq.ResultDead || r.Error != "no good" {
			t.Errorf("%+v", r)
		}
		// Of a request as well, beside the reply.
		reply := request(t, mq, inbox(t, mq), "POST /double", []byte(`{"n":4}`), leanmq.ID("r"), leanmq.KeepResult(time.Minute))
		ctx, stop := context.WithTimeout(t.Context(), testkit.Patience)
		defer stop()
		r, err := queue(t, mq, "POST", "/double").Result(ctx, "r")
		if err != nil || string(r.Payload) != string(reply.Payload) {
			t.Errorf("%+v, %v; the reply is %q", r, err, reply.Payload)
		}
	})
}
