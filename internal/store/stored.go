package store

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Stored is a message that is kept somewhere else than in Redis, to be sent later.
type Stored struct {
	Envelope Envelope
	Terms    SendTerms
	Topic    bool // it is to be published to a topic
}

// storedVersion is written first. Whoever reads another one must not send.
const storedVersion = "1"

// Options is all of the message but its payload, for UnpackStored.
func (m *Stored) Options() []byte {
	terms := []string{}
	num := func(name string, v int64) {
		if v > 0 {
			terms = append(terms, name, strconv.FormatInt(v, 10))
		}
	}
	t := &m.Terms
	num("delay", ceilMs(t.Delay))
	if !t.Due.IsZero() {
		num("due", max(dueMs(t.Due), 1))
	}
	num("window", t.Window.Milliseconds())
	if t.For != "" {
		num("unique", t.Unique.Milliseconds())
		terms = append(terms, "for", t.For)
	}
	if m.Topic {
		terms = append(terms, "topic", "1")
	}
	e := m.Envelope
	e.Payload = []byte{}
	return []byte(Pack(storedVersion, Pack(terms...), packFields(e.appendFields(nil))))
}

// UnpackStored makes the message again. What a newer version of this library has
// written, and this one does not know, is an error: it would be sent without it.
func UnpackStored(options, payload []byte) (Stored, error) {
	var m Stored
	parts, err := UnpackFields(string(options))
	if err != nil || len(parts) < 1 {
		return m, &MalformedError{"what is stored of it besides its payload is damaged"}
	}
	if string(parts[0]) != storedVersion || len(parts) != 3 {
		return m, &MalformedError{"it was stored by a newer version of leanmq: update the program that sends it"}
	}
	terms, err := UnpackFields(string(parts[1]))
	if err != nil || len(terms)%2 != 0 {
		return m, &MalformedError{"its stored terms are damaged"}
	}
	for i := 0; i < len(terms); i += 2 {
		name, value := string(terms[i]), string(terms[i+1])
		if name == "topic" {
			m.Topic = true
			continue
		}
		if err := m.Terms.set(name, value); err != nil {
			return m, err
		}
	}
	fields, err := UnpackFields(string(parts[2]))
	if err != nil {
		return m, &MalformedError{"its stored fields are damaged"}
	}
	if m.Envelope, err = DecodeEnvelope(fields); err != nil {
		return m, err
	}
	if len(m.Envelope.appendFields(nil)) != len(fields) {
		return m, &MalformedError{"it has fields of a newer version of leanmq: update the program that sends it"}
	}
	m.Envelope.Payload = payload
	return m, nil
}

func (t *SendTerms) set(name, value string) error {
	if name == "for" {
		t.For = value
		return nil
	}
	ms, err := strconv.ParseInt(value, 10, 64)
	if err != nil || ms < 0 {
		return &MalformedError{"its stored term " + name + " is not a number"}
	}
	d := time.Duration(min(ms, int64(1<<63-1)/int64(time.Millisecond))) * time.Millisecond
	switch name {
	case "delay":
		t.Delay = d
	case "due":
		t.Due = time.UnixMilli(ms)
	case "window":
		t.Window = d
	case "unique":
		t.Unique = d
	default:
		return &MalformedError{"it has the term " + name + " of a newer version of leanmq: update the program that sends it"}
	}
	return nil
}

// Aged takes the time for which the message was stored off its delay and its time
// to live. One whose time is up gets a last millisecond, so that the queue deals
// with it as with every message that expires.
func (m *Stored) Aged(age time.Duration) {
	age = max(age, 0)
	m.Terms.Delay = max(m.Terms.Delay-age, 0)
	if m.Envelope.TTL > 0 {
		m.Envelope.TTL = max(m.Envelope.TTL-age.Milliseconds(), 1)
	}
}

// SendEach sends messages on terms of their own, in order and in one round trip.
func (q *Queue) SendEach(ctx context.Context, ms []Stored) []SendResult {
	out := make([]SendResult, len(ms))
	cmds := make([]redis.Cmder, 0, len(ms)+1)
	brought := map[*script]bool{}
	for i := range ms {
		cmd := q.sendIf(ctx, &ms[i].Envelope, ms[i].Terms, 0)
		if s := scriptOf(cmd); len(ms) > 1 && !brought[s] {
			brought[s] = true
			s.withSource(cmd)
		}
		cmds = append(cmds, cmd)
	}
	batch := cmds
	if list := q.relist(ctx); list != nil {
		batch = append(batch, list)
	}
	if err := q.s.pipe.doAll(ctx, batch); err != nil {
		for i := range out {
			out[i].Err = classify(err)
		}
		return out
	}
	for i := range out {
		out[i] = sendResult(cmds[i].(*redis.Cmd), ms[i].Terms)
	}
	return out
}

// ForgetOnce lets the sends that are known by these names (SendTerms.Once) be
// forgotten after d. Safe to repeat.
func (q *Queue) ForgetOnce(ctx context.Context, names []string, d time.Duration) error {
	cmds := make([]redis.Cmder, 0, len(names))
	for _, name := range names {
		cmds = append(cmds, redis.NewBoolCmd(ctx, "PEXPIRE", q.Dedupe(name), d.Milliseconds()))
	}
	if err := q.s.pipe.doAll(ctx, cmds); err != nil {
		return classify(err)
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return classify(err)
		}
	}
	return nil
}
