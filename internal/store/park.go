package store

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// A parked message waits in a queue of others for its own queue to be known. What
// it shares with the messages of its own queue only (lanes, levels, unique keys)
// stays aside until then, in headers of these names.
const (
	parkedOrder     = ":k"
	parkedUnique    = ":q"
	parkedLevel     = ":y"
	parkedUniqueFor = ":f"
)

// Parking is how the packages of this module tell that a queue is for parked
// messages; nobody else can name it.
type Parking struct{}

// Park makes a message one that is parked. Until it moves, its unique keys are
// unique among those that are parked for the same target.
func Park(e *Envelope, terms *SendTerms) {
	aside := func(name, v string) {
		if v != "" {
			e.Header = append(e.Header, name, v)
		}
	}
	aside(parkedOrder, e.OrderKey)
	aside(parkedUnique, e.UniqueKey)
	aside(parkedUniqueFor, terms.For)
	if e.Level != 0 {
		aside(parkedLevel, strconv.FormatInt(e.Level, 10))
	}
	e.OrderKey, e.Level = "", 0
	e.UniqueKey = withinTarget(e.Target, e.UniqueKey)
	terms.For = withinTarget(e.Target, terms.For)
}

func withinTarget(target, key string) string {
	if key == "" {
		return ""
	}
	return fmt.Sprintf("%d:%s:%s", len(target), target, key)
}

// Unpark makes a parked message the one that was sent, and adds what is left of its
// terms.
func (q *Queue) Unpark(ctx context.Context, e *Envelope, terms *SendTerms) error {
	e.UniqueKey = ""
	var header []string
	for i := 0; i+1 < len(e.Header); i += 2 {
		switch name, v := e.Header[i], e.Header[i+1]; name {
		case parkedOrder:
			e.OrderKey = v
		case parkedUnique:
			e.UniqueKey = v
		case parkedLevel:
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > 0 && n < Levels {
				e.Level = n
			}
		case parkedUniqueFor:
			ms, err := q.s.count(ctx, "PTTL", q.UniqueFor(withinTarget(e.Target, v)))
			if err != nil {
				return err
			}
			if ms > 0 { // from here on its own queue remembers it
				terms.For, terms.Unique = v, time.Duration(ms)*time.Millisecond
			}
		default:
			header = append(header, name, v)
		}
	}
	e.Header = header
	return nil
}

// Remove takes an entry that no consumer was given out of the stream.
func (q *Queue) Remove(ctx context.Context, entry string) error {
	_, err := q.s.eval(ctx, removeScript, q.scope(q.Stream), entry)
	return err
}
