package leanmq

import (
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/leanmq/leanmq/internal/store"
)

// A SendOption configures one send.
type SendOption func(*sendConfig)

// dedupeWindow is how long an ID is remembered by default.
const dedupeWindow = 5 * time.Minute

type sendConfig struct {
	id        string
	target    string
	header    []string // name, value, …
	ttl       time.Duration
	terms     store.SendTerms
	window    time.Duration
	windowed  bool // the window is the caller's
	level     int
	order     string
	partition string
	kind      string // type of event
	unique    string
	digest    bool // unique by payload
	keep      time.Duration
	codec     Codec         // of the payload; nil = JSON, or the client's
	policy    string        // see formatPolicy
	maxAge    time.Duration // of the policy
	err       error
}

// Delay delivers the message no earlier than d after the send, by the server's
// clock.
func Delay(d time.Duration) SendOption {
	return func(c *sendConfig) { c.terms.Delay = d }
}

// At delivers the message no earlier than t, by the server's clock. It and
// Delay exclude each other.
func At(t time.Time) SendOption { return func(c *sendConfig) { c.terms.Due = t } }

// ID gives the message an id of the caller's: 1 to 256 bytes. A second send with
// the same id to the same queue within 5 minutes (see [Dedupe]) does nothing and
// returns [ErrDuplicate].
func ID(id string) SendOption {
	return func(c *sendConfig) {
		if id == "" || len(id) > 256 || !utf8.ValidString(id) {
			c.fail(invalid("ID", "%.40q has %d bytes: want 1 to 256 bytes of UTF-8", id, len(id)))
		}
		c.id = id
	}
}

// Dedupe sets how long the ID is remembered. It needs an ID. 0 means not at
// all; at most 30 days.
func Dedupe(window time.Duration) SendOption {
	return func(c *sendConfig) {
		if window < 0 || window > 30*24*time.Hour {
			c.fail(invalid("Dedupe", "is %v: want 0 to 30 days", window))
		}
		c.window, c.windowed = window, true
	}
}

// WithHeader adds a header. Names have 2 to 256 printable ASCII bytes and do not
// begin with a colon; values have at most 8 KiB. There are at most 128.
func WithHeader(name, value string) SendOption {
	return func(c *sendConfig) { c.setHeader(name, value) }
}

// Headers adds headers, each as WithHeader does.
func Headers(h Header) SendOption {
	return func(c *sendConfig) {
		c.header = slices.Grow(c.header, 2*min(len(h), store.MaxHeaders))
		for name, value := range h {
			c.setHeader(name, value)
		}
	}
}

// Target says what the message addresses within its queue. The layer of paths
// puts method and path here, such as "POST /orders/42/shipped?x=1".
func Target(t string) SendOption {
	return func(c *sendConfig) {
		if len(t) > 8<<10 {
			c.fail(invalid("Target", "has %d bytes: at most 8192 are allowed", len(t)))
		}
		c.target = t
	}
}

// TTL makes the message expire d after the send, by the server's clock: it is
// never handed to a handler after that, and a running handler's context ends. See
// [OnExpired] for what becomes of it.
func TTL(d time.Duration) SendOption {
	return func(c *sendConfig) {
		if d < time.Millisecond {
			c.fail(invalid("TTL", "is %v: want 1ms or more", d))
		}
		c.ttl = d
	}
}

func (c *sendConfig) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *sendConfig) setHeader(name, value string) {
	if err := checkHeader(name, value); err != nil {
		c.fail(err)
		return
	}
	for i := 0; i < len(c.header); i += 2 {
		if c.header[i] == name {
			c.header[i+1] = value
			return
		}
	}
	if len(c.header) == 2*store.MaxHeaders {
		c.fail(invalid("header", "there are more than %d", store.MaxHeaders))
		return
	}
	c.header = append(c.header, name, value)
}

func checkHeader(name, value string) error {
	if len(name) < 2 || len(name) > 256 || name[0] == ':' {
		return invalid("header", "name %.40q: want 2 to 256 bytes, not beginning with a colon", name)
	}
	for _, b := range []byte(name) {
		if b <= ' ' || b >= 0x7f {
			return invalid("header", "name %.40q: want printable ASCII without spaces", name)
		}
	}
	if len(value) > 8<<10 {
		return invalid("header", "%s has a value of %d bytes: at most 8192 are allowed", name, len(value))
	}
	return nil
}

// sendConfigs are lent to options to write into: one of its own would be an allocation
// for each send, because options are functions. None keeps it.
var sendConfigs = sync.Pool{New: func() any { return new(sendConfig) }}

// lendSendConfig applies the options and checks what they say together.
func lendSendConfig(opts []SendOption) *sendConfig {
	c := sendConfigs.Get().(*sendConfig)
	c.window = dedupeWindow
	for _, o := range opts {
		o(c)
	}
	c.check()
	return c
}

func (c *sendConfig) giveBack() {
	*c = sendConfig{}
	sendConfigs.Put(c)
}

// newSendConfig is lendSendConfig for those who keep what the options say.
func newSendConfig(opts []SendOption) (sendConfig, error) {
	c := lendSendConfig(opts)
	defer c.giveBack()
	return *c, c.err
}

// draft makes a message of an empty one and its terms.
func draft(e *store.Envelope, terms *store.SendTerms, payload []byte, opts []SendOption) error {
	c := lendSendConfig(opts)
	defer c.giveBack()
	c.fill(e, payload)
	*terms = c.terms
	return c.err
}

// check checks what the options say together.
func (c *sendConfig) check() {
	if c.terms.Delay < 0 {
		c.fail(invalid("Delay", "is %v: want 0 or more", c.terms.Delay))
	}
	if c.terms.Delay > 0 && !c.terms.Due.IsZero() {
		c.fail(invalid("Delay", "and At exclude each other"))
	}
	if c.maxAge > 0 && c.terms.Delay > c.maxAge {
		c.fail(invalid("Delay", "is %v and RetryWith.MaxAge %v: no attempt could begin", c.terms.Delay, c.maxAge))
	}
	switch {
	case c.id != "":
		c.terms.Window = c.window
	case c.windowed:
		c.fail(invalid("Dedupe", "is how long an ID is remembered, and there is none: want ID, or UniqueFor"))
	}
	if c.terms.Delay > 0 || !c.terms.Due.IsZero() || c.order != "" {
		c.terms.Token = newSendToken()
	}
	if c.unique != "" && c.digest {
		c.fail(invalid("Unique", "and UniquePayload exclude each other"))
	}
	c.terms.Scripted = c.level != 0 || c.order != "" || c.unique != "" || c.digest
}

// forMany returns an error if the options are for one message only.
func (c *sendConfig) forMany() error {
	switch {
	case c.id != "":
		return invalid("ID", "belongs to one message: use Send")
	case c.unique != "":
		return invalid("Unique", "lets one message in: use Send, or UniquePayload")
	case c.terms.For != "":
		return invalid("UniqueFor", "lets one message in: use Send")
	}
	return nil
}

func (c *sendConfig) envelope(payload []byte) (e store.Envelope) {
	c.fill(&e, payload)
	return e
}

// fill makes a message of an empty one.
func (c *sendConfig) fill(e *store.Envelope, payload []byte) {
	e.Payload, e.ID, e.Target, e.Type = payload, c.id, c.target, c.kind
	e.Level, e.OrderKey, e.UniqueKey = int64(c.level), c.order, c.unique
	e.Policy, e.KeepResult = c.policy, c.keep.Milliseconds()
	if c.digest {
		e.UniqueKey = payloadKey(payload)
	}
	if c.ttl > 0 {
		e.TTL = max(c.ttl.Milliseconds(), 1)
	}
	e.Header = slices.Clip(c.header) // several messages have the same ones
	if c.codec != nil && c.codec.Name() != JSON.Name() {
		e.Header = append(e.Header, headerCodec, c.codec.Name())
	}
}
