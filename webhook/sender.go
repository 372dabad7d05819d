package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/leanmq/leanmq/leanmq"
)

// Sender sends to paths. It is cheap to make, and safe for concurrent use.
type Sender struct {
	mq *leanmq.Client
	t  *table
}

// NewSender returns a sender.
func NewSender(mq *leanmq.Client) *Sender { return &Sender{mq: mq, t: tableOf(mq)} }

// Send sends v to the service that has registered the path, and returns the
// message's id. The path may have a method and a query: "PUT /users/7?notify=1";
// without a method it is POST.
//
// v is encoded as JSON, but for []byte and json.RawMessage, which are sent as
// they are, and nil, which is an empty body. A path that no service has
// registered parks the message; one that has other methods only is a [*Problem].
func (s *Sender) Send(ctx context.Context, path string, v any, opts ...leanmq.SendOption) (id string, err error) {
	body, err := EncodeBody(v)
	if err != nil {
		return "", fmt.Errorf("webhook: send to %q: %w", path, err)
	}
	method, p, query := splitRoute(path)
	malformed := func() error {
		return fmt.Errorf("webhook: send to %q: %w", path,
			&leanmq.InvalidError{Field: "path", Rule: "is malformed: want [METHOD ]/path[?query], with a METHOD in upper case"})
	}
	if _, ok := trimPath(p); !ok {
		return "", malformed()
	}
	opts = append(opts[:len(opts):len(opts)], leanmq.Target(target(method, p, query)))
	r, err := Lookup(ctx, s.mq, method, p)
	var missing *Problem
	switch {
	case err == nil:
		return r.Queue.Send(ctx, body, opts...)
	case errors.As(err, &missing) && missing.Status == http.StatusNotFound:
		if !isMethod(method) {
			return "", malformed() // no pattern can have it: it would be parked for good
		}
		return park(ctx, s.mq, body, opts)
	}
	return "", fmt.Errorf("webhook: send to %q: %w", path, err)
}

// EncodeBody encodes what is sent to a path.
func EncodeBody(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte{}, nil
	case []byte:
		return v, nil
	case json.RawMessage:
		return v, nil
	}
	return json.Marshal(v)
}
