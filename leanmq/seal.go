package leanmq

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/leanmq/leanmq/internal/store"
)

// A seal is what a client does to an encoded payload before it is stored:
// compress it, then encrypt it. A mark in the message's headers says what was
// done, and is all that a reader goes by.

// headerEncoding holds the mark: "gzip", "aes-gcm;key=2026-11" or
// "gzip,aes-gcm;key=2026-11", in the order in which it was done.
const headerEncoding = ":encoding"

// encoding is a mark, parsed.
type encoding struct {
	gzip bool
	key  string // "" where it is not encrypted
}

const aesPrefix = "aes-gcm;key="

func (e encoding) String() string {
	var parts []string
	if e.gzip {
		parts = append(parts, "gzip")
	}
	if e.key != "" {
		parts = append(parts, aesPrefix+e.key)
	}
	return strings.Join(parts, ",")
}

func parseEncoding(mark string) (e encoding, err error) {
	rest := mark
	first, more, _ := strings.Cut(rest, ",")
	if first == "gzip" {
		e.gzip, rest = true, more
	}
	if key, ok := strings.CutPrefix(rest, aesPrefix); ok && isLabel(key) {
		e.key = key
	}
	if e.String() != mark || mark == "" {
		return e, fmt.Errorf("has encoding %.200q, which this version does not know: it knows gzip and then aes-gcm", mark)
	}
	return e, nil
}

// payloadConfig is what a client's options say of payloads.
type payloadConfig struct {
	codecs           *codecSet
	compress         int
	encrypt, decrypt *Keyring
	err              error // of the first option that is out of bounds
}

func (c *payloadConfig) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *payloadConfig) setKeys(option string, to **Keyring, keys *Keyring) {
	if keys == nil || keys.primary == "" { // nil, or not made by NewKeyring
		c.fail(invalid(option, "has a keyring without keys: make it with NewKeyring"))
		return
	}
	*to = keys
	if c.encrypt != nil && c.decrypt != nil {
		c.fail(invalid("Decrypt", "and Encrypt exclude each other: Encrypt decrypts too"))
	}
}

// configure sets the client up.
func (c *payloadConfig) configure(client *Client) {
	client.codecs = readyCodecs
	if c.codecs != nil {
		client.codecs = c.codecs
	}
	client.keys = c.decrypt
	if c.encrypt != nil {
		client.keys = c.encrypt
	}
	if c.compress > 0 || c.encrypt != nil {
		client.sealer = &sealer{compress: c.compress, keys: c.encrypt}
	}
}

// sealer seals what a client sends. A nil one leaves it as it is.
type sealer struct {
	compress int      // at least so many bytes; 0 = nothing
	keys     *Keyring // nil = nothing is encrypted
}

// seal returns what is stored of a payload and the mark that says so. Without a
// mark it is the payload itself.
func (s *sealer) seal(payload []byte) (sealed []byte, mark string) {
	if s == nil || len(payload) == 0 {
		return payload, ""
	}
	var compressed []byte
	// A reply may be larger than what readers would decompress.
	if s.compress > 0 && len(payload) >= s.compress && len(payload) <= MaxPayload {
		compressed = compress(payload)
	}
	switch {
	case s.keys != nil && compressed != nil:
		return s.keys.encrypt(compressed, s.keys.gzipMark), s.keys.gzipMark
	case s.keys != nil:
		return s.keys.encrypt(payload, s.keys.mark), s.keys.mark
	case compressed != nil:
		return compressed, "gzip"
	}
	return payload, ""
}

// sealEnvelope seals a message that is about to be sent, after the checks of its
// payload.
func (c *Client) sealEnvelope(e *store.Envelope) {
	sealed, mark := c.sealer.seal(e.Payload)
	if mark == "" {
		return
	}
	e.Payload = sealed
	e.Header = append(e.Header, headerEncoding, mark)
}

// sealOutcome seals the message's reply and result, once.
func (s *sealer) sealOutcome(m *Message) {
	if s == nil {
		return
	}
	if m.reply != nil && m.replyMark == "" {
		m.reply.Payload, m.replyMark = s.seal(m.reply.Payload)
	}
	if x := m.extra; x != nil && x.result != nil && x.resultMark == "" {
		x.result, x.resultMark = s.seal(x.result)
	}
}

// unseal is the opposite of seal. It goes by the mark alone and does not change
// sealed.
func (k *Keyring) unseal(sealed []byte, mark string) ([]byte, error) {
	e, err := parseEncoding(mark)
	if err != nil {
		return nil, err
	}
	if e.key != "" {
		if sealed, err = k.decrypt(e.key, sealed, mark); err != nil {
			return nil, err
		}
	}
	if e.gzip {
		return decompress(sealed)
	}
	return sealed, nil
}

// open makes a message that came from Redis readable: it opens the payload, if
// it is sealed, and takes the mark away. A message that cannot be opened stays
// as it is, and the error is ErrUndecodable. Everything that hands a message to
// a handler calls it first, and not under a lock.
func (c *Client) open(m *Message) error {
	m.codecs = c.codecs
	payload, err := c.unseal(m.Payload, m.Header)
	if err != nil {
		return fmt.Errorf("%w: it %w", ErrUndecodable, err)
	}
	m.Payload = payload
	return nil
}

// unseal opens a payload and takes the mark out of its headers.
func (c *Client) unseal(payload []byte, header Header) ([]byte, error) {
	mark := header[headerEncoding]
	if mark == "" {
		return payload, nil
	}
	payload, err := c.keys.unseal(payload, mark)
	if err == nil {
		delete(header, headerEncoding)
	}
	return payload, err
}

// openReply opens a reply. Its error is none of those that mean something to a
// queue: a handler that asks another service must not have its own message
// dead-lettered for it.
func (c *Client) openReply(r *Reply) error {
	payload, err := c.unseal(r.Payload, r.Header)
	if err != nil {
		return fmt.Errorf("the reply's payload %w", err)
	}
	r.Payload = payload
	return nil
}

// show is a message for who only looks at it: opened, if this client can.
func (q *Queue) show(e *store.Entry) *Message { return q.c.Stored(q.name, e) }

// refuse judges a message that cannot be opened: no handler sees it.
func (p *pool) refuse(m *Message, err error) {
	m.Attempt-- // this was none
	p.judge(context.Background(), m, err)
	if m.replyTo != "" {
		p.answer(m, err)
	}
}

// refuse is the same for a puller, settled at once.
func (m *Pulled) refuse(ctx context.Context, err error) {
	m.Attempt--
	v := m.judge(err)
	if m.replyTo != "" { // an answered request is done
		m.reply, v = &Reply{Status: http.StatusInternalServerError}, verdict{}
	}
	_ = m.settle(ctx, "dead-letter", v)
}

// replyHeader is the reply's headers as they are stored.
func (m *Message) replyHeader() []string {
	header := m.reply.Header
	if _, forged := header[headerEncoding]; forged {
		header = maps.Clone(header)
		delete(header, headerEncoding)
	}
	pairs := header.pairs()
	if m.replyMark != "" {
		pairs = append(pairs, headerEncoding, m.replyMark)
	}
	return pairs
}
