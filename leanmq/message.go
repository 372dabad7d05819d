package leanmq

import (
	"iter"
	"time"

	"github.com/leanmq/leanmq/internal/lazyctx"
	"github.com/leanmq/leanmq/internal/store"
)

// Header carries a message's headers. Names have 2 to 256 bytes; names that
// begin with a colon are LeanMQ's own.
type Header map[string]string

// Get returns the header with exactly this name, or "".
func (h Header) Get(name string) string { return h[name] }

// Message is a message as a handler sees it. A handler owns it until it
// returns; it must not be used concurrently, nor copied.
type Message struct {
	// ID is the sender's [ID], or else made at the send. It stays the same
	// through retries, dead-lettering and requeueing.
	ID      string
	Queue   string
	Payload []byte
	Header  Header
	// Target is what the sender addressed within the queue (see [Target]).
	Target string
	// Type is what kind of event it is (see [Type]).
	Type string
	// Attempt is 1 for the first one. Only failed attempts count.
	Attempt int
	// Deliveries counts how often the message was handed to a worker since its
	// last attempt failed: more than 1 means that a worker died or lost it.
	Deliveries int
	// SentAt is the server's time of the send.
	SentAt time.Time
	// Deadline is when the message expires, by the server's clock. Zero: never.
	Deadline time.Time
	// LastError is the error of the last failed attempt.
	LastError string

	entry      string // id of its stream entry: what Redis knows it by
	epoch      string // see store.Done
	replyTo    string // who waits for a reply; "" is nobody
	reply      *Reply
	replyMark  string // how the reply is sealed
	codecs     *codecSet
	malformed  error
	extra      *extra
	source     *source // the level it came from
	progressed bool

	// While it is held by a pool.
	next, prev *Message
	verdict    verdict
	run        *run             // for hooks only
	cancel     *lazyctx.Context // while its handler runs
	settling   bool
	lost       bool
	tx         inTx // guarded by the pool's lock, if a pool holds it
}

func newMessage(queue string, e *store.Entry) *Message {
	m := &Message{
		ID:         e.ID,
		Queue:      queue,
		Payload:    e.Payload,
		Target:     e.Target,
		Type:       e.Type,
		Attempt:    e.Attempts + 1,
		Deliveries: e.Deliveries,
		LastError:  e.Error,
		entry:      e.Entry,
		replyTo:    e.ReplyTo,
		malformed:  e.Malformed,
		extra:      newExtra(e),
	}
	if m.ID == "" {
		m.ID = e.Entry
	}
	if len(e.Header) > 0 {
		m.Header = make(Header, len(e.Header)/2)
		for i := 0; i+1 < len(e.Header); i += 2 {
			m.Header[e.Header[i]] = e.Header[i+1]
		}
	}
	created := e.Created
	if created == 0 {
		created = store.EntryTime(e.Entry)
	}
	m.SentAt = time.UnixMilli(created)
	if e.TTL > 0 {
		m.Deadline = time.UnixMilli(created + e.TTL)
	}
	return m
}

// messages converts entries one by one, as they are asked for.
func messages(queue string, entries []store.Entry) iter.Seq[*Message] {
	return func(yield func(*Message) bool) {
		for i := range entries {
			if !yield(newMessage(queue, &entries[i])) {
				return
			}
		}
	}
}

// WantsReply reports whether a caller waits for an answer (see [Inbox]).
func (m *Message) WantsReply() bool { return m.replyTo != "" }

// Reply answers the caller when the handler has returned, together with the
// settling. A later Reply replaces an earlier one. Without a caller it only sets
// the message's result (see [KeepResult]).
//
// An answered message is done, whatever the handler returns: the caller has been
// told, so it is neither retried nor dead-lettered. Only [RetryAfter] (or
// [RetryAfterOn]) with a time before the caller's deadline withdraws the reply and
// tries again. A request that is not answered explicitly is answered with status 200,
// or 500 after an error.
func (m *Message) Reply(r Reply) {
	if m.replyTo != "" {
		m.reply, m.replyMark = &r, ""
	}
	m.SetResult(r.Payload)
}
