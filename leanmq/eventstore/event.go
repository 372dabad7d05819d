package eventstore

import (
	"strconv"
	"time"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

// Event is an event of the log. It is safe for concurrent use.
type Event struct {
	// Position is where it stands in the log. It is the id of the event, and of its
	// message for those who subscribe to the topic.
	Position string
	// Aggregate and Version are whose event it is, and which one: 1 is the first. What
	// was published to the topic otherwise has none.
	Aggregate string
	Version   int64
	Type      string
	Header    leanmq.Header // metadata
	Time      time.Time     // of the append, by the server's clock

	message *leanmq.Message
}

// Decode decodes the event's data into what v points to, with the codec that it was
// encoded with. Errors are leanmq.ErrUndecodable.
func (e *Event) Decode(v any) error { return e.message.Decode(v) }

// Data returns the event's data as it was encoded, or as it is stored if it could not be
// opened (see leanmq.Decrypt). It must not be changed.
func (e *Event) Data() []byte { return e.message.Payload }

// Decode returns the event's data as a T: see [Event.Decode].
func Decode[T any](e *Event) (v T, err error) {
	err = e.Decode(&v)
	return v, err
}

func (s *Store) newEvent(e *store.Entry) *Event {
	m := s.mq.Stored(s.name, e)
	ev := &Event{
		Position: e.Entry, Aggregate: m.Header[store.HeaderAggregate], Type: e.Type,
		Header: leanmq.Header{}, Time: m.SentAt, message: m,
	}
	ev.Version, _ = strconv.ParseInt(m.Header[store.HeaderVersion], 10, 64)
	for name, value := range m.Header {
		if name[0] != ':' {
			ev.Header[name] = value
		}
	}
	return ev
}
