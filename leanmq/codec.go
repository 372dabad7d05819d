package leanmq

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Codec turns values into payloads and back. Its name, 1 to 64 letters,
// digits or any of ._+/-, travels with the message in the header ":codec" and
// says what decodes it; so it must mean the same in every process. A codec must
// be safe for concurrent use.
type Codec interface {
	Name() string
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// Ready codecs, which every client decodes.
var (
	// JSON is encoding/json's. It is the default, and what a message without
	// the header ":codec" is decoded as: also one that another program sent.
	JSON Codec = jsonCodec{}
	// Bytes takes []byte and string as they are, and nothing else.
	Bytes Codec = bytesCodec{}
)

// headerCodec names the codec of a payload. JSON needs no name.
const headerCodec = ":codec"

type jsonCodec struct{}

func (jsonCodec) Name() string                       { return "json" }
func (jsonCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

type bytesCodec struct{}

func (bytesCodec) Name() string { return "bytes" }

func (bytesCodec) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("the value is a %T: want []byte or string", v)
}

func (bytesCodec) Unmarshal(data []byte, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = bytes.Clone(data)
		return nil
	case *string:
		*v = string(data)
		return nil
	}
	return fmt.Errorf("the target is a %T: want *[]byte or *string", v)
}

// Codecs sets how values are encoded. The first codec encodes what
// [Queue.SendValue] sends; all of them decode, and [JSON] and [Bytes] always do.
// One that is named "json" or "bytes" takes the place of the ready one.
// Default: JSON.
func Codecs(first Codec, more ...Codec) Option {
	return func(c *clientConfig) {
		all := append([]Codec{first}, more...)
		set := codecSet{first: first, byName: map[string]Codec{}}
		for _, codec := range all {
			if err := checkCodec("Codecs", codec); err != nil {
				c.payload.fail(err)
				return
			}
			if set.byName[codec.Name()] != nil {
				c.payload.fail(invalid("Codecs", "there are two named %q", codec.Name()))
				return
			}
			set.byName[codec.Name()] = codec
		}
		for _, codec := range []Codec{JSON, Bytes} {
			if set.byName[codec.Name()] == nil {
				set.byName[codec.Name()] = codec
			}
		}
		c.payload.codecs = &set
	}
}

func checkCodec(field string, codec Codec) error {
	if codec == nil {
		return invalid(field, "has a codec that is nil")
	}
	if !isLabel(codec.Name()) {
		return invalid(field, "has a codec named %.80q: %s", codec.Name(), wantLabel)
	}
	return nil
}

// WithCodec encodes the value of [Queue.SendValue] with this codec instead of
// the client's. With the other sends, whose payloads are encoded already, it
// only says that this is the codec that decodes them.
func WithCodec(codec Codec) SendOption {
	return func(c *sendConfig) {
		if err := checkCodec("WithCodec", codec); err != nil {
			c.fail(err)
			return
		}
		c.codec = codec
	}
}

// isLabel says whether s may be the name of a codec or of a key: what a header
// can hold next to the separators of ":encoding".
func isLabel(s string) bool {
	return s != "" && len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._+/-", r)
	}) < 0
}

const wantLabel = "want 1 to 64 letters, digits or any of ._+/-"

// codecSet is the codecs of a client.
type codecSet struct {
	first  Codec // encodes
	byName map[string]Codec
}

var readyCodecs = &codecSet{first: JSON, byName: map[string]Codec{"json": JSON, "bytes": Bytes}}

func (s *codecSet) names() string {
	var names []string
	for name := range s.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// SendValue encodes v with the client's first codec (see [Codecs]), or that of
// [WithCodec], and sends it as [Queue.Send] does. A value that cannot be encoded
// is [ErrInvalid], with the codec's own error.
//
// The receiver decodes it with [Message.Decode] or [Typed].
func (q *Queue) SendValue(ctx context.Context, v any, opts ...SendOption) (id string, err error) {
	c, err := q.sendConfig(opts)
	if err != nil {
		return "", q.wrap("send", c.id, err)
	}
	payload, err := q.c.encode(&c, v)
	if err != nil {
		return "", q.wrap("send", c.id, err)
	}
	e := c.envelope(payload)
	return q.send(ctx, &e, &c.terms)
}

// encode encodes v with the codec of one send, or else the client's first one.
func (c *Client) encode(s *sendConfig, v any) ([]byte, error) {
	if s.codec == nil {
		s.codec = c.codecs.first
	}
	payload, err := s.codec.Marshal(v)
	if err != nil {
		bad := invalid("value", "cannot be encoded: type %T, codec %q", v, s.codec.Name())
		err = fmt.Errorf("%w: %w", bad, err)
	}
	return payload, err
}

// Decode decodes the payload into what v points to, with the codec that the
// sender named; a message without such a name is JSON.
//
// Errors are [ErrUndecodable]: when the handler returns one, the message is
// dead-lettered at once, because no retry helps. Only a v that is no pointer is
// [ErrInvalid].
func (m *Message) Decode(v any) error {
	return wrap("decode", m.Queue, m.ID, m.decode(v))
}

func (m *Message) decode(v any) error {
	if to := reflect.ValueOf(v); to.Kind() != reflect.Pointer || to.IsNil() {
		return invalid("v", "is %T: want a pointer that is not nil", v)
	}
	if mark := m.Header[headerEncoding]; mark != "" {
		return fmt.Errorf("%w: it is sealed with %.200q, and this client could not open it", ErrUndecodable, mark)
	}
	codecs := m.codecs
	if codecs == nil { // made by hand
		codecs = readyCodecs
	}
	name := m.Header[headerCodec]
	if name == "" {
		name = JSON.Name()
	}
	codec := codecs.byName[name]
	if codec == nil {
		return fmt.Errorf("%w: codec %.80q is not among those of this client: %s", ErrUndecodable, name, codecs.names())
	}
	if err := codec.Unmarshal(m.Payload, v); err != nil {
		return fmt.Errorf("%w: codec %q, type %T: %w", ErrUndecodable, name, v, err)
	}
	return nil
}

// Typed makes a handler of one that takes the decoded payload (see
// [Message.Decode]). What cannot be decoded is dead-lettered as
// [ReasonUndecodable] without h; of a request, the caller gets status 500.
func Typed[T any](h func(ctx context.Context, v T, m *Message) error) Handler {
	return func(ctx context.Context, m *Message) error {
		var v T
		if err := m.Decode(&v); err != nil {
			return err
		}
		return h(ctx, v, m)
	}
}
