package leanmq_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

type order struct {
	ID    int    `json:"id"`
	Label string `json:"label"`
}

// gobCodec is somebody's own codec.
type gobCodec struct{ name string }

func (g gobCodec) Name() string { return g.name }

func (gobCodec) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func (gobCodec) Unmarshal(data []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(v)
}

var ownCodec = gobCodec{"x-gob"}

func TestSendValueArrivesWhateverTheReceiverPrefers(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		want := order{7, "a ☃"}
		senders := map[string]struct {
			mq   *leanmq.Client
			opts []leanmq.SendOption
			mark string
		}{
			"default":         {open(t, url), nil, ""},
			"own first":       {open(t, url, leanmq.Codecs(ownCodec)), nil, "x-gob"},
			"own, then JSON":  {open(t, url, leanmq.Codecs(ownCodec)), []leanmq.SendOption{leanmq.WithCodec(leanmq.JSON)}, ""},
			"JSON, then own":  {open(t, url), []leanmq.SendOption{leanmq.WithCodec(ownCodec)}, "x-gob"},
			"JSON named":      {open(t, url, leanmq.Codecs(leanmq.JSON, ownCodec)), nil, ""},
			"another as json": {open(t, url), []leanmq.SendOption{leanmq.ID("x"), leanmq.Delay(time.Millisecond)}, ""},
		}
		readers := map[string]*leanmq.Client{
			"JSON first": open(t, url, leanmq.Codecs(leanmq.JSON, ownCodec)),
			"own first":  open(t, url, leanmq.Codecs(ownCodec)),
		}
		n := 0
		for sender, s := range senders {
			for reader, r := range readers {
				n++
				name := fmt.Sprintf("q%d", n)
				if _, err := s.mq.Queue(name).SendValue(t.Context(), want, s.opts...); err != nil {
					t.Fatal(err)
				}
				got := make(chan order, 1)
				mark := make(chan string, 1)
				c := consume(t, r.Queue(name), leanmq.Typed(func(_ context.Context, o order, m *leanmq.Message) error {
					got <- o
					mark <- m.Header[":codec"]
					return nil
				}))
				if o := receive(t, "the value", got); o != want {
					t.Errorf("%s to %s: got %+v", sender, reader, o)
				}
				if m := receive(t, "the mark", mark); m != s.mark {
					t.Errorf("%s to %s: marked as %q, want %q", sender, reader, m, s.mark)
				}
				c.Stop()
			}
		}
	})
}

func TestACodecNamedJSONTakesItsPlace(t *testing.T) {
	mine := gobCodec{"json"}
	mq := open(t, "mem://", leanmq.Codecs(mine))
	q := mq.Queue("jobs")
	if _, err := q.SendValue(t.Context(), order{ID: 1}); err != nil {
		t.Fatal(err)
	}
	for m := range q.Waiting(t.Context()) {
		var o order
		if err := m.Decode(&o); err != nil || o.ID != 1 || len(m.Header) != 0 {
			t.Errorf("%+v, %v, %v", o, err, m.Header)
		}
	}
}

func TestBytesCodec(t *testing.T) {
	mq := open(t, "mem://", leanmq.Codecs(leanmq.Bytes))
	q := mq.Queue("jobs")
	for _, v := range []any{"text", []byte("text")} {
		if _, err := q.SendValue(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	for m, err := range q.Waiting(t.Context()) {
		var s string
		var b []byte
		if err != nil || m.Decode(&s) != nil || m.Decode(&b) != nil || s != "text" || string(b) != "text" {
			t.Errorf("%q, %q, %v", s, b, err)
		}
		b[0] = 'T' // not shared with the message
		if string(m.Payload) != "text" {
			t.Error("the decoded bytes are the message's own")
		}
		var o order
		if err := m.Decode(&o); !errors.Is(err, leanmq.ErrUndecodable) || !strings.Contains(err.Error(), "*[]byte or *string") {
			t.Error(err)
		}
	}
}

func TestSendValueRefusesWhatItCannotEncode(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		_, err := q.SendValue(t.Context(), make(chan int))
		isInvalid(t, err, "value")
		var cause *json.UnsupportedTypeError
		if !errors.As(err, &cause) {
			t.Errorf("%v does not hold the codec's error", err)
		}
		_, err = q.SendValue(t.Context(), order{}, leanmq.WithCodec(leanmq.Bytes))
		isInvalid(t, err, "value")
		for _, part := range []string{"leanmq_test.order", `"bytes"`, "want []byte or string"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %s", err, part)
			}
		}
		_, err = q.SendValue(t.Context(), 1, leanmq.WithCodec(nil))
		isInvalid(t, err, "WithCodec")
		_, err = q.SendValue(t.Context(), 1, leanmq.WithCodec(gobCodec{"a,b"}))
		isInvalid(t, err, "WithCodec")
		if i := info(t, q); i.Ready != 0 {
			t.Errorf("%d were sent", i.Ready)
		}
	})
}

func TestBadCodecsAreRefused(t *testing.T) {
	for _, opt := range []leanmq.Option{
		leanmq.Codecs(nil),
		leanmq.Codecs(leanmq.JSON, nil),
		leanmq.Codecs(gobCodec{""}),
		leanmq.Codecs(gobCodec{strings.Repeat("a", 65)}),
		leanmq.Codecs(gobCodec{"a;b"}),
		leanmq.Codecs(gobCodec{"a"}, leanmq.JSON, gobCodec{"a"}),
	} {
		_, err := leanmq.Open(t.Context(), "mem://", opt)
		isInvalid(t, err, "Codecs")
	}
}

func TestUndecodableIsDeadLetteredAtOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		typed := leanmq.Typed(func(context.Context, order, *leanmq.Message) error {
			t.Error("the handler ran")
			return nil
		})
		wrapped := func(_ context.Context, m *leanmq.Message) error {
			var o order
			return fmt.Errorf("my handler: %w", m.Decode(&o))
		}
		for name, c := range map[string]struct {
			payload string
			opts    []leanmq.SendOption
			h       leanmq.Handler
			says    string
		}{
			"malformed":     {`{"id": 1,`, nil, typed, "unexpected end of JSON"},
			"another-type":  {`{"id": "x"}`, nil, typed, "cannot unmarshal string"},
			"wrapped":       {`nonsense`, nil, wrapped, "my handler: "},
			"unknown-codec": {`{}`, []leanmq.SendOption{leanmq.WithCodec(ownCodec)}, typed, `codec "x-gob" is not among those of this client: bytes, json`},
		} {
			t.Run(name, func(t *testing.T) {
				q := mq.Queue(name)
				send(t, q, c.payload, c.opts...)
				consume(t, q, c.h, quick)
				d := oneDead(t, q)
				if d.Reason != leanmq.ReasonUndecodable || d.Message.Attempt != 1 || string(d.Message.Payload) != c.payload {
					t.Errorf("%+v", d)
				}
				if !strings.Contains(d.Error, c.says) {
					t.Errorf("%q does not say %q", d.Error, c.says)
				}
			})
		}
	})
}

func TestPulledUndecodableIsDeadLetteredAtOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		send(t, q, "nonsense")
		p := newPuller(t, q, quick)
		ms, err := p.Receive(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		var o order
		if err := ms[0].Retry(t.Context(), ms[0].Decode(&o)); err != nil {
			t.Fatal(err)
		}
		if d := oneDead(t, q); d.Reason != leanmq.ReasonUndecodable {
			t.Errorf("%+v", d)
		}
	})
}

func TestAVerdictWinsOverUndecodable(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		for reason, h := range map[string]leanmq.Handler{
			leanmq.ReasonRejected: func(_ context.Context, m *leanmq.Message) error {
				return leanmq.Reject(m.Decode(new(order)))
			},
			leanmq.ReasonExhausted: func(_ context.Context, m *leanmq.Message) error {
				return leanmq.RetryAfter(0, m.Decode(new(order)))
			},
		} {
			q := mq.Queue(reason)
			send(t, q, "nonsense")
			consume(t, q, h, quick)
			if d := oneDead(t, q); d.Reason != reason {
				t.Errorf("%s, want %s", d.Reason, reason)
			}
		}
	})
}

func TestDecodeIntoNoPointerIsTheHandlersMistake(t *testing.T) {
	m := &leanmq.Message{Payload: []byte(`{"id":1}`)}
	for _, v := range []any{nil, order{}, (*order)(nil)} {
		err := m.Decode(v)
		isInvalid(t, err, "v")
		if errors.Is(err, leanmq.ErrUndecodable) {
			t.Errorf("%v would dead-letter", err)
		}
	}
	var o order
	if err := m.Decode(&o); err != nil || o.ID != 1 { // one made by hand, in a test
		t.Error(o, err)
	}
}

func TestCallerOfWhatCannotBeDecodedIsTold(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		consume(t, q, leanmq.Typed(func(_ context.Context, o order, m *leanmq.Message) error {
			m.Reply(leanmq.Reply{Status: http.StatusCreated, Payload: []byte(o.Label)})
			return nil
		}))
		in := openInbox(t, mq)
		if r, err := in.Request(t.Context(), q, []byte("nonsense")); err != nil || r.Status != http.StatusInternalServerError {
			t.Errorf("%+v, %v", r, err)
		}
		if r, err := in.Request(t.Context(), q, []byte(`{"label":"x"}`)); err != nil || r.Status != http.StatusCreated || string(r.Payload) != "x" {
			t.Errorf("%+v, %v", r, err)
		}
		becomesEmpty(t, q)
	})
}
