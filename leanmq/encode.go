package leanmq

import (
	"github.com/leanmq/leanmq/internal/store"
)

// Encode is for the packages of this module: it makes what is stored of a value, as
// [Queue.SendValue] does with these options.
func (c *Client) Encode(v any, opts ...SendOption) (store.Envelope, error) {
	cfg, err := newSendConfig(opts)
	if err != nil {
		return store.Envelope{}, err
	}
	payload, err := c.encode(&cfg, v)
	if err != nil {
		return store.Envelope{}, err
	}
	if len(payload) > MaxPayload {
		return store.Envelope{}, invalid("payload", "has %d bytes: at most %d are allowed", len(payload), MaxPayload)
	}
	e := cfg.envelope(payload)
	c.sealEnvelope(&e)
	return e, nil
}

// Stored is for the packages of this module: it is the message that Redis holds under
// a name, opened if this client can. Where it cannot, Decode says so.
func (c *Client) Stored(name string, e *store.Entry) *Message {
	m := newMessage(name, e)
	_ = c.open(m) // it keeps its mark
	return m
}
