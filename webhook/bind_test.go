package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

type order struct {
	User  string    `json:"user" validate:"required,max=8"`
	Items []item    `json:"items" validate:"required,min=1,dive"`
	Note  string    `json:"note,omitempty"`
	At    time.Time `json:"at,omitzero"`
}

type item struct {
	SKU      string `json:"sku" validate:"required"`
	Quantity int    `json:"quantity" validate:"min=1,max=9"`
}

// search is bound from everything but the body.
type search struct {
	paging
	Shelf  int      `path:"shelf" json:"-"`
	Box    string   `path:"box" json:"-" validate:"max=4"`
	Exact  bool     `query:"exact" json:"-"`
	Tags   []string `query:"tag" json:"-" validate:"max=2,dive,oneof=a b c"`
	Tenant string   `header:"X-Tenant" json:"-"`
	User   string   `header:"x-user" json:"-"`
	Depth  *int     `header:"depth" json:"-"`
}

type paging struct {
	Page uint8 `query:"page" json:"-"`
}

// update takes its name from the body, its version from wherever it is, and
// nothing else from the body, whatever that says.
type update struct {
	ID      string `path:"id"`
	Tenant  string `header:"x-tenant"`
	Name    string `json:"name" validate:"required"`
	Version int    `json:"version" query:"version"`
}

// binders echo what they were given.
func binders(s *webhook.Service) *webhook.Service {
	if err := s.Validator().RegisterValidation("shouted", func(f validator.FieldLevel) bool {
		return f.Field().String() == strings.ToUpper(f.Field().String())
	}); err != nil {
		panic(err)
	}
	webhook.Handle(s, "/orders", echo[order])
	webhook.Handle(s, "/pointer", echo[*order])
	webhook.Handle(s, "/slice", echo[[]item])
	webhook.Handle(s, "/pointers", echo[[]*item])
	webhook.Handle(s, "/map", echo[map[string]item])
	webhook.Handle(s, "/strings", echo[[]string])
	webhook.Handle(s, "/number", echo[int8])
	webhook.Handle(s, "/bytes", echo[[]byte])
	webhook.Handle(s, "/raw", echo[json.RawMessage])
	webhook.Handle(s, "/nothing", echo[struct{}])
	webhook.Handle(s, "/any", echo[any])
	webhook.Handle(s, "/page", echo[page[item]])
	webhook.Handle(s, "/anonymous", echo[struct {
		Items []item `json:"items" validate:"dive"`
	}])
	webhook.Handle(s, "/custom", echo[struct {
		Word string `json:"word" validate:"shouted"`
	}])
	webhook.Handle(s, "/update/{id}", echo[update])
	webhook.Handle(s, "/search/{shelf}/{box...}", func(_ context.Context, in search) (string, error) {
		depth := "-"
		if in.Depth != nil {
			depth = fmt.Sprint(*in.Depth)
		}
		return fmt.Sprint(in.Shelf, in.Box, " ", in.Page, in.Exact, in.Tags, " ", in.Tenant, " ", in.User, " ", depth), nil
	})
	return s
}

type page[T any] struct {
	List []T `json:"list" validate:"dive"`
}

func echo[T any](_ context.Context, in T) (T, error) { return in, nil }

func TestBinding(t *testing.T) {
	const (
		good   = `{"user":"u","items":[{"sku":"s","quantity":2}]}`
		asJSON = "application/json"
	)
	type header = leanmq.Header
	tests := []struct {
		target, body string
		header       header
		status       int
		want         string // the answer, or the fields of the problem
	}{
		// What a body may look like.
		{"POST /orders", good, nil, 200, good},
		{"POST /orders", " \n" + good + "\t\n", nil, 200, good},
		{"POST /orders", `{"user":"ü","items":[{"sku":"s","quantity":1}],"note":null}`, nil, 200, `{"user":"ü","items":[{"sku":"s","quantity":1}]}`},
		{"POST /orders", good + good, nil, 400, ""},
		{"POST /orders", good + "x", nil, 400, ""},
		{"POST /orders", good[:20], nil, 400, ""},
		{"POST /orders", "{", nil, 400, ""},
		{"POST /orders", "nonsense", nil, 400, ""},
		{"POST /orders", "\x00\xff", nil, 400, ""},
		{"POST /orders", `{"user":"u",}`, nil, 400, ""},
		{"POST /orders", strings.Repeat("[", 100_000), nil, 400, ""},
		{"POST /any", strings.Repeat("[", 100_000), nil, 400, ""},

		// What a body must say.
		{"POST /orders", "", nil, 422, "items is a required field; user is a required field"},
		{"POST /orders", "  ", nil, 422, "items is a required field; user is a required field"},
		{"POST /orders", "{}", nil, 422, "items is a required field; user is a required field"},
		{"POST /orders", "null", nil, 422, "items is a required field; user is a required field"},
		{"POST /orders", `{"user":"longer than 8","items":[]}`, nil, 422, "items must contain at least 1 item; user must be a maximum of 8 characters in length"},
		{"POST /orders", `{"user":"u","items":[{"sku":"s","quantity":0},{"quantity":10}]}`, nil, 422, "items[0].quantity must be 1 or greater; items[1].quantity must be 9 or less; items[1].sku is a required field"},
		{"POST /orders", `{"user":"u","items":[],"admin":true}`, nil, 422, "admin is unknown"},
		{"POST /orders", `{"user":"u","items":[{"sku":"s","price":1}]}`, nil, 422, "price is unknown"},
		{"POST /orders", `{"user":7}`, nil, 422, "user is a JSON number, want a string"},
		{"POST /orders", `{"user":"u","items":{}}`, nil, 422, "items is a JSON object, want an array"},
		{"POST /orders", `{"items":[{"quantity":"2"}]}`, nil, 422, "items.quantity is a JSON string, want a number in range"},
		{"POST /orders", `{"items":[{"quantity":2.5}]}`, nil, 422, "items.quantity is a JSON number 2.5, want a number in range"},
		{"POST /orders", `{"at":"yesterday"}`, nil, 422, "body is malformed"},
		{"POST /orders", `[]`, nil, 422, "body is a JSON array, want an object"},
		{"POST /orders", `"text"`, nil, 422, "body is a JSON string, want an object"},

		// What a handler may take.
		{"POST /pointer", good, nil, 200, good},
		{"POST /pointer", "", nil, 422, "items is a required field; user is a required field"},
		{"POST /pointer", "null", nil, 422, "items is a required field; user is a required field"},
		{"POST /pointer", `{"user":7}`, nil, 422, "user is a JSON number, want a string"},
		{"POST /slice", `[{"sku":"s","quantity":1}]`, nil, 200, `[{"sku":"s","quantity":1}]`},
		{"POST /slice", `[]`, nil, 200, `[]`},
		{"POST /slice", `[{"sku":"s","quantity":1},{"sku":"s"}]`, nil, 422, "[1].quantity must be 1 or greater"},
		{"POST /slice", `{}`, nil, 422, "body is a JSON object, want an array"},
		{"POST /pointers", `[{"sku":"s","quantity":1},{"quantity":1}]`, nil, 422, "[1].sku is a required field"},
		{"POST /map", `{"a":{"sku":"s"}}`, nil, 422, "[a].quantity must be 1 or greater"},
		{"POST /strings", `["a","b"]`, nil, 200, `["a","b"]`},
		{"POST /number", `100`, nil, 200, `100`},
		{"POST /number", `1000`, nil, 422, "body is a JSON number 1000, want a number in range"},
		{"POST /number", `true`, nil, 422, "body is a JSON bool, want a number in range"},
		{"POST /bytes", "not JSON \x00\xff", header{"content-type": "image/png"}, 200, "not JSON \x00\xff"},
		{"POST /raw", `{ "a" : 1 }`, nil, 200, `{ "a" : 1 }`},
		{"POST /nothing", "ignored", header{"content-type": "text/plain"}, 204, ""},
		{"POST /any", `{"a":[1,null]}`, nil, 200, `{"a":[1,null]}`},
		{"POST /anonymous", `{"items":[{"sku":"s"}]}`, nil, 422, "items[0].quantity must be 1 or greater"},
		{"POST /page", `{"list":[{"sku":"s"}]}`, nil, 422, "list[0].quantity must be 1 or greater"},
		{"POST /custom", `{"word":"LOUD"}`, nil, 200, `{"word":"LOUD"}`},
		{"POST /custom", `{"word":"low"}`, nil, 422, "word fails the rule shouted"},

		// Path, query and headers.
		{"GET /search/7/a%2Fb", "", nil, 200, `"7a/b 0 false []   -"`},
		{"GET /search/7?page=2&exact=true&tag=a&tag=b", "", header{"x-tenant": "acme", "x-user": "u", "depth": "3"}, 200, `"7 2 true [a b] acme u 3"`},
		{"GET /search/7", "", header{"X-Tenant": "acme", "X-USER": "u"}, 200, `"7 0 false [] acme u -"`},
		{"GET /search/7?page=&unknown=1&tag=c", "", nil, 200, `"7 0 false [c]   -"`},
		{"GET /search/seven", "", nil, 422, "shelf is malformed"},
		{"GET /search/7?page=two", "", nil, 422, "page is malformed"},
		{"GET /search/7?page=256", "", nil, 422, "page is malformed"},
		{"GET /search/7?page=-1&exact=perhaps", "", nil, 422, "exact is malformed; page is malformed"},
		{"GET /search/7", "", header{"depth": "deep"}, 422, "depth is malformed"},
		{"GET /search/7/longer", "", nil, 422, "box must be a maximum of 4 characters in length"},
		{"GET /search/7?tag=a&tag=d", "", nil, 422, "tag[1] must be one of [a b c]"},
		{"GET /search/7?tag=a&tag=b&tag=c", "", nil, 422, "tag must contain at most 2 items"},
		{"GET /search/7?tag[=a&page]=1&%zz=1&x[y=1&z]]=1&page=3", "", nil, 200, `"7 3 false []   -"`},
		{"GET /search/7?tag[99999999]=a", "", nil, 422, "tag is malformed"},
		{"GET /search/7", `{"Shelf":8}`, nil, 422, "Shelf is unknown"},
		{"PUT /update/7", `{"ID":"8","Tenant":"evil","name":"n","version":1}`, nil, 200, `{"ID":"7","Tenant":"","name":"n","version":1}`},
		{"PUT /update/7?version=2", `{"name":"n","version":1}`, header{"x-tenant": "acme"}, 200, `{"ID":"7","Tenant":"acme","name":"n","version":2}`},
		{"PUT /update/7?Name=evil&id=8&Tenant=evil", `{"name":"n","version":1}`, header{"name": "evil", "id": "8"}, 200, `{"ID":"7","Tenant":"","name":"n","version":1}`},
		{"PUT /update/7", `{}`, nil, 422, "name is a required field"},

		// Content types.
		{"POST /orders", good, header{"content-type": asJSON}, 200, good},
		{"POST /orders", good, header{"Content-Type": asJSON + "; charset=utf-8"}, 200, good},
		{"POST /orders", good, header{"content-type": "APPLICATION/JSON"}, 200, good},
		{"POST /orders", good, header{"content-type": "application/vnd.acme.order+json"}, 200, good},
		{"POST /orders", " " + good, header{"content-type": "application/x-www-form-urlencoded"}, 200, " " + good},
		{"POST /orders", "user=u", header{"content-type": "application/x-www-form-urlencoded"}, 415, ""},
		{"POST /orders", good, header{"content-type": "text/plain"}, 415, ""},
		{"POST /orders", good, header{"content-type": "application/xml"}, 415, ""},
		{"POST /orders", good, header{"content-type": "no media type"}, 415, ""},
		{"POST /orders", "", header{"content-type": "text/plain"}, 422, "items is a required field; user is a required field"},
		{"GET /search/7", "", header{"content-type": "text/plain"}, 200, `"7 0 false []   -"`},
	}
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		run(t, binders(webhook.NewService("binding", open(t, url))))
		mq := open(t, url)
		in := inbox(t, mq)
		for _, tt := range tests {
			r := request(t, mq, in, tt.target, []byte(tt.body), leanmq.Headers(tt.header))
			got := string(r.Payload)
			if r.Status >= 400 {
				got = fields(problem(t, r).Fields)
			}
			if r.Status != tt.status || strings.TrimSpace(got) != strings.TrimSpace(tt.want) {
				t.Errorf("%s %.80q %v: %d %s, want %d %s", tt.target, tt.body, tt.header, r.Status, got, tt.status, tt.want)
			}
		}
	})
}

// fields shows what is wrong with which field, sorted.
func fields(fs []webhook.FieldProblem) string {
	var list []string
	for _, f := range fs {
		list = append(list, f.Field+" "+f.Reason)
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// Sending the same again would not help, and nobody waits for an answer.
func TestInvalidMessageIsDeadLetteredAtOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var called atomic.Int64
		s := webhook.NewService("orders", open(t, url),
			webhook.ConsumeWith(leanmq.Retry(leanmq.RetryPolicy{MinBackoff: time.Millisecond})))
		webhook.On(s, "/orders", func(context.Context, order) error {
			called.Add(1)
			return nil
		})
		run(t, s)
		mq := open(t, url)
		for body, want := range map[string]string{
			`{"items":[{"sku":"s","quantity":0}]}`: "user is a required field",
			`{"admin":true}`:                       "admin is unknown",
			`{`:                                    "ends too early",
			``:                                     "items is a required field",
		} {
			id := send(t, mq, "/orders", []byte(body), leanmq.WithHeader("x-kept", "yes"))
			q := queue(t, mq, "POST", "/orders")
			dead := settled(t, q)
			if len(dead) != 1 {
				t.Fatalf("%q: %d dead letters, want 1", body, len(dead))
			}
			d := dead[0]
			if d.Message.ID != id || d.Reason != leanmq.ReasonRejected || d.Message.Attempt != 1 || !strings.Contains(d.Error, want) {
				t.Errorf("%q: message %s is dead: %s after %d attempts: %s", body, d.Message.ID, d.Reason, d.Message.Attempt, d.Error)
			}
			if string(d.Message.Payload) != body || d.Message.Header.Get("x-kept") != "yes" || d.Message.Target != "POST /orders" {
				t.Errorf("%q: the dead letter has %q %v %q", body, d.Message.Payload, d.Message.Header, d.Message.Target)
			}
			if _, err := q.PurgeDead(t.Context(), d.Letter); err != nil {
				t.Fatal(err)
			}
		}
		if n := called.Load(); n != 0 {
			t.Errorf("the handler was called %d times", n)
		}
	})
}

func TestInvalidRequestIsAnsweredAndDone(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		run(t, binders(webhook.NewService("binding", open(t, url))))
		mq := open(t, url)
		r := request(t, mq, inbox(t, mq), "POST /orders", []byte(`{}`), leanmq.WithHeader("x-request-id", "r-1"))
		if p := problem(t, r); r.Status != 422 || p.Status != 422 || p.RequestID != "r-1" || len(p.Fields) != 2 {
			t.Errorf("%d %s", r.Status, r.Payload)
		}
		if dead := settled(t, queue(t, mq, "POST", "/orders")); len(dead) != 0 {
			t.Errorf("%d dead letters: the caller knows already", len(dead))
		}
	})
}
