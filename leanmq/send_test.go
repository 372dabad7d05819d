package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestSentBeforeAnyConsumerExistsIsDelivered(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("emails")
		id := send(t, q, "hello")
		if i := info(t, q); i.Ready != 1 || i.Consumers != 0 {
			t.Errorf("%+v", i)
		}
		var got record
		consume(t, open(t, url).Queue("emails"), got.done)
		if m := got.wait(t, 1)[0]; m.ID != id || m.Payload != "hello" {
			t.Errorf("%+v, want %s", m, id)
		}
		becomesEmpty(t, q)
	})
}

func TestMessageArrivesAsItWasSent(t *testing.T) {
	everyByte := make([]byte, 256)
	for i := range everyByte {
		everyByte[i] = byte(i)
	}
	payloads := map[string][]byte{
		"text": []byte("hello"), "empty": {}, "nil": nil, "every byte": everyByte,
		"protocol": []byte("$3\r\nfoo\r\n*1\r\n"), "large": make([]byte, 1<<20),
	}
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("orders:created")
		var got record
		consume(t, mq.Queue("orders:created"), got.done)
		n := 0
		for name, payload := range payloads {
			for kind, opts := range map[string][]leanmq.SendOption{
				"plain":   nil,
				"by id":   {leanmq.ID("id of " + name)},
				"delayed": {leanmq.Delay(time.Millisecond)},
				"all": {
					leanmq.ID("all of " + name), leanmq.Delay(time.Millisecond), leanmq.TTL(time.Hour),
					leanmq.WithHeader("Content-Type", "text/plain; x=\"ü\r\n\""), leanmq.WithHeader("xx", ""),
					leanmq.Target("POST /orders/42?x=1"),
				},
			} {
				before := time.Now().Truncate(time.Millisecond)
				id, err := q.Send(t.Context(), payload, opts...)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, kind, err)
				}
				n++
				m := got.wait(t, n)[n-1]
				if m.ID != id || m.Payload != string(payload) || m.Queue != "orders:created" || m.Attempt != 1 || m.Deliveries != 1 || m.LastError != "" {
					t.Errorf("%s, %s: sent %s, got %+.300v", name, kind, id, m)
				}
				if m.SentAt.Before(before) || m.SentAt.After(m.At) {
					t.Errorf("%s, %s: sent at %v, which is not between %v and %v", name, kind, m.SentAt, before, m.At)
				}
				wantHeader, wantTarget, wantID := leanmq.Header(nil), "", id
				var deadline time.Time
				switch kind {
				case "all":
					wantHeader = leanmq.Header{"Content-Type": "text/plain; x=\"ü\r\n\"", "xx": ""}
					wantTarget, wantID, deadline = "POST /orders/42?x=1", "all of "+name, m.SentAt.Add(time.Hour)
				case "by id":
					wantID = "id of " + name
				}
				if !maps.Equal(m.Header, wantHeader) || m.Target != wantTarget || m.ID != wantID || !m.Deadline.Equal(deadline) {
					t.Errorf("%s, %s: %+.300v", name, kind, m)
				}
			}
		}
		becomesEmpty(t, q)
	})
}

func TestMostHeadersSurviveEveryMove(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		h := leanmq.Header{}
		for i := range 128 {
			h[fmt.Sprintf("name-%d", i)] = strconv.Itoa(i)
		}
		send(t, q, "x", leanmq.Headers(h), leanmq.Delay(time.Millisecond), leanmq.ID("i"), leanmq.Target("/t"), leanmq.TTL(time.Hour))
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			return errors.New("boom")
		}, quick)
		d := oneDead(t, q)
		if !maps.Equal(d.Message.Header, h) {
			t.Errorf("dead with %d headers, sent with %d", len(d.Message.Header), len(h))
		}
		for _, m := range got.list() {
			if !maps.Equal(m.Header, h) {
				t.Errorf("attempt %d with %d headers, sent with %d", m.Attempt, len(m.Header), len(h))
			}
		}
	})
}

func TestOneWorkerSeesTheOrderOfSending(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		const n = 1500 // more than any batch
		var got record
		consume(t, q, got.done, leanmq.Concurrency(1))
		texts := make([][]byte, n)
		for i := range texts {
			texts[i] = []byte(strconv.Itoa(i))
		}
		if _, err := q.SendMany(t.Context(), texts[:n/2]); err != nil {
			t.Fatal(err)
		}
		for _, text := range texts[n/2 : n/2+50] {
			send(t, q, string(text))
		}
		if _, err := q.SendMany(t.Context(), texts[n/2+50:]); err != nil {
			t.Fatal(err)
		}
		for i, m := range got.wait(t, n) {
			if m.Payload != strconv.Itoa(i) {
				t.Fatalf("message %s came where %d was due", m.Payload, i)
			}
		}
	})
}

func TestSendManyReturnsTheIDsInOrder(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		for name, opts := range map[string][]leanmq.SendOption{
			"plain":   nil,
			"limited": nil,
			"delayed": {leanmq.Delay(time.Millisecond)},
		} {
			q := mq.Queue(name)
			if name == "limited" {
				q = mq.Queue(name, leanmq.MaxLen(1000))
			}
			texts := make([][]byte, 100)
			for i := range texts {
				texts[i] = []byte(strconv.Itoa(i))
			}
			ids, err := q.SendMany(t.Context(), texts, opts...)
			if err != nil || len(ids) != len(texts) {
				t.Fatal(len(ids), err)
			}
			var got record
			consume(t, q, got.done)
			for _, m := range got.wait(t, len(texts)) {
				if i, _ := strconv.Atoi(m.Payload); ids[i] != m.ID {
					t.Errorf("%s: message %d has the id %s, not %s", name, i, m.ID, ids[i])
				}
			}
		}
		if ids, err := mq.Queue("none").SendMany(t.Context(), nil); err != nil || len(ids) != 0 {
			t.Errorf("nothing to send: %v, %v", ids, err)
		}
	})
}

func TestPayloadMayBeReusedAfterSend(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		buf := make([]byte, 8)
		for i := range 200 {
			copy(buf, fmt.Sprintf("%08d", i))
			ctx := context.Background()
			if i%2 == 0 {
				ctx = t.Context() // one that can end
			}
			if _, err := q.Send(ctx, buf); err != nil {
				t.Fatal(err)
			}
			clear(buf)
		}
		i := 0
		for m, err := range q.Waiting(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if string(m.Payload) != fmt.Sprintf("%08d", i) {
				t.Fatalf("message %d is %q", i, m.Payload)
			}
			i++
		}
		if i != 200 {
			t.Errorf("%d messages wait", i)
		}
	})
}

func TestSendsThatAreRefusedNameTheField(t *testing.T) {
	manyHeaders := leanmq.Header{}
	for i := range 129 {
		manyHeaders[fmt.Sprintf("name-%d", i)] = ""
	}
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		for _, tt := range []struct {
			field string
			opts  []leanmq.SendOption
		}{
			{"Delay", []leanmq.SendOption{leanmq.Delay(-1)}},
			{"Delay", []leanmq.SendOption{leanmq.Delay(time.Second), leanmq.At(time.Now())}},
			{"ID", []leanmq.SendOption{leanmq.ID("")}},
			{"ID", []leanmq.SendOption{leanmq.ID(strings.Repeat("x", 257))}},
			{"ID", []leanmq.SendOption{leanmq.ID("\xff")}},
			{"Dedupe", []leanmq.SendOption{leanmq.Dedupe(time.Minute)}},
			{"Dedupe", []leanmq.SendOption{leanmq.ID("x"), leanmq.Dedupe(-1)}},
			{"Dedupe", []leanmq.SendOption{leanmq.ID("x"), leanmq.Dedupe(31 * 24 * time.Hour)}},
			{"TTL", []leanmq.SendOption{leanmq.TTL(0)}},
			{"TTL", []leanmq.SendOption{leanmq.TTL(time.Microsecond)}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("", "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("p", "it is LeanMQ's")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader(":own", "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("a b", "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("a\n", "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("ü", "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader(strings.Repeat("x", 257), "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("xx", strings.Repeat("v", 8193))}},
			{"header", []leanmq.SendOption{leanmq.Headers(manyHeaders)}},
			{"Target", []leanmq.SendOption{leanmq.Target(strings.Repeat("x", 8193))}},
		} {
			_, err := q.Send(t.Context(), nil, tt.opts...)
			isInvalid(t, err, tt.field)
			_, err = q.SendMany(t.Context(), make([][]byte, 2), tt.opts...)
			isInvalid(t, err, tt.field)
			var where *leanmq.Error
			if errors.As(err, &where) && (where.Op != "send" || where.Queue != "jobs") {
				t.Errorf("%v: op %q, queue %q", err, where.Op, where.Queue)
			}
		}
		large := make([]byte, leanmq.MaxPayload+1)
		_, err := q.Send(t.Context(), large)
		isInvalid(t, err, "payload")
		_, err = q.SendMany(t.Context(), [][]byte{nil, large})
		isInvalid(t, err, "payload")
		if !strings.Contains(fmt.Sprint(err), "message 1") {
			t.Errorf("%v does not say which one", err)
		}
		_, err = q.SendMany(t.Context(), make([][]byte, 2), leanmq.ID("x"))
		isInvalid(t, err, "ID")
		_, err = mq.Queue("jobs", leanmq.MaxLen(0)).Send(t.Context(), nil)
		isInvalid(t, err, "MaxLen")
		becomesEmpty(t, q)
		if qs, err := mq.Queues(t.Context()); err != nil || len(qs) != 0 {
			t.Errorf("nothing was sent, and yet: %v, %v", qs, err)
		}
	})
}

func TestBadQueueNameFailsEveryUse(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		in := openInbox(t, mq)
		ctx := t.Context()
		for name, field := range map[string]string{
			"": "queue name", "a:b:c:d": "queue name", "{}": "queue name", "s:\n": "queue name", ":x": "queue tag",
			strings.Repeat("x", 201): "queue name", strings.Repeat("x", 65) + ":x": "queue tag",
		} {
			q := mq.Queue(name)
			for op, use := range map[string]func() error{
				"send":        func() error { _, err := q.Send(ctx, nil); return err },
				"send opts":   func() error { _, err := q.Send(ctx, nil, leanmq.ID("x")); return err },
				"send many":   func() error { _, err := q.SendMany(ctx, make([][]byte, 1)); return err },
				"consume":     func() error { return q.Consume(ctx, new(record).done) },
				"puller":      func() error { _, err := q.Puller(); return err },
				"request":     func() error { _, err := in.Request(ctx, q, nil); return err },
				"info":        func() error { _, err := q.Info(ctx); return err },
				"create":      func() error { return q.Create(ctx) },
				"delete":      func() error { return q.Delete(ctx) },
				"force":       func() error { return q.ForceDelete(ctx) },
				"dead letter": func() error { _, err := q.DeadLetter(ctx, "1-1"); return err },
				"requeue":     func() error { _, err := q.Requeue(ctx, "1-1"); return err },
				"requeue all": func() error { _, err := q.RequeueAll(ctx); return err },
				"purge":       func() error { _, err := q.PurgeDead(ctx); return err },
				"scheduled":   func() error { _, err := q.Scheduled(ctx, 1); return err },
				"dead letters": func() (err error) {
					for _, err = range q.DeadLetters(ctx) {
					}
					return err
				},
				"waiting": func() (err error) {
					for _, err = range q.Waiting(ctx) {
					}
					return err
				},
			} {
				t.Run(op, func(t *testing.T) { isInvalid(t, use(), field) })
			}
		}
	})
}

// The fault is the option's, whichever was given first.
func TestBadNameIsNotHiddenByAnOption(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		_, err := open(t, url).Queue("", leanmq.MaxLen(5)).Send(t.Context(), nil)
		isInvalid(t, err, "queue name")
	})
}

func TestFullQueueRefuses(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs", leanmq.MaxLen(3))
		send(t, q, "ready")
		send(t, q, "scheduled", leanmq.Delay(time.Hour))
		ids, err := q.SendMany(t.Context(), [][]byte{[]byte("third"), []byte("fourth"), []byte("fifth")})
		if !errors.Is(err, leanmq.ErrQueueFull) || len(ids) != 3 || ids[0] == "" || ids[1] != "" || ids[2] != "" {
			t.Errorf("%q, %v", ids, err)
		}
		var joined interface{ Unwrap() []error }
		if ok := errors.As(err, &joined); !ok || len(joined.Unwrap()) != 2 {
			t.Errorf("%v does not have one error for each of 2", err)
		}
		for _, opts := range [][]leanmq.SendOption{nil, {leanmq.ID("x")}, {leanmq.Delay(time.Hour)}} {
			id, err := q.Send(t.Context(), nil, opts...)
			var where *leanmq.Error
			if !errors.Is(err, leanmq.ErrQueueFull) || errors.Is(err, leanmq.ErrUnknown) || !errors.As(err, &where) || where.Queue != "jobs" || id != "" {
				t.Errorf("%q, %v", id, err)
			}
		}
		if i := info(t, q); i.Ready != 2 || i.Scheduled != 1 {
			t.Errorf("%+v", i)
		}
		send(t, mq.Queue("jobs"), "another handle has no limit")
		var got record
		c := consume(t, q, got.done)
		got.wait(t, 3)
		_ = c.Stop()
		send(t, q, "there is room again", leanmq.ID("x"))
	})
}

func TestSecondSendWithAnIDIsADuplicate(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		if id := send(t, q, "first", leanmq.ID("welcome-42")); id != "welcome-42" {
			t.Errorf("the id is %q", id)
		}
		duplicate := func(opts ...leanmq.SendOption) {
			t.Helper()
			id, err := open(t, url).Queue("jobs").Send(t.Context(), []byte("second"), append(opts, leanmq.ID("welcome-42"))...)
			var where *leanmq.Error
			if !errors.Is(err, leanmq.ErrDuplicate) || id != "welcome-42" || !errors.As(err, &where) || where.ID != "welcome-42" {
				t.Errorf("%q, %v", id, err)
			}
		}
		duplicate()
		duplicate(leanmq.Delay(time.Hour))
		duplicate(leanmq.WithHeader("xx", "y"))
		send(t, mq.Queue("other"), "the id is the queue's", leanmq.ID("welcome-42"))
		var got record
		consume(t, q, got.done)
		if m := got.wait(t, 1)[0]; m.ID != "welcome-42" || m.Payload != "first" {
			t.Errorf("%+v", m)
		}
		becomesEmpty(t, q)
		duplicate() // also when the first one is done
		if n := got.count(); n != 1 {
			t.Errorf("%d were handled", n)
		}
	})
}

func TestDedupeWindowIsTheCallers(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		for range 2 {
			send(t, q, "not remembered", leanmq.ID("zero"), leanmq.Dedupe(0))
		}
		send(t, q, "x", leanmq.ID("short"), leanmq.Dedupe(200*time.Millisecond))
		if _, err := q.Send(t.Context(), nil, leanmq.ID("short")); !errors.Is(err, leanmq.ErrDuplicate) {
			t.Errorf("%v", err)
		}
		eventually(t, "the window is over", func() bool {
			_, err := q.Send(t.Context(), nil, leanmq.ID("short"))
			return err == nil
		})
	})
}

func TestQueuesAreListedUntilTheyAreDeleted(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		send(t, mq.Queue("sent"), "x")
		send(t, mq.Queue("delayed"), "x", leanmq.Delay(time.Hour))
		if err := mq.Queue("created").Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := consume(t, mq.Queue("svc:consumed"), new(record).done)
		names := func() []string {
			qs, err := open(t, url).Queues(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, q := range qs {
				out = append(out, q.Name)
			}
			return out
		}
		want := []string{"created", "delayed", "sent", "svc:consumed"}
		eventually(t, "all are listed, sorted", func() bool { return slices.Equal(names(), want) })
		_ = c.Stop()
		for _, name := range want {
			err := mq.Queue(name).Delete(t.Context())
			if full := name == "sent" || name == "delayed"; full != errors.Is(err, leanmq.ErrNotEmpty) || !full && err != nil {
				t.Errorf("delete %s: %v", name, err)
			}
		}
		if got := names(); !slices.Equal(got, []string{"delayed", "sent"}) {
			t.Errorf("left: %v", got)
		}
		for _, name := range names() {
			if err := mq.Queue(name).ForceDelete(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if got := names(); len(got) != 0 {
			t.Errorf("left: %v", got)
		}
	})
}
