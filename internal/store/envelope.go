package store

import (
	"errors"
	"fmt"
	"strconv"
)

// Envelope is a message as Redis holds it. Its fields are stream fields, so
// that scripts can amend them and a program without this library can send a
// message with nothing but XADD … p <payload>.
//
// Names of one letter are LeanMQ's; every longer name is a header.
type Envelope struct {
	Payload     []byte // p, the only one that must be there
	ID          string // i, where it is not the entry's own id
	Attempts    int    // a, failed ones so far
	Created     int64  // t, ms, where it is not that of the entry's id
	TTL         int64  // x, ms after Created; 0 = none
	Target      string // u, what of its queue it is meant for, such as a path
	ReplyTo     string // r, where a reply goes: see Inbox.Address
	Error       string // e, of the last failed attempt
	FirstFailed int64  // f, ms
	LastFailed  int64  // l, ms
	Reason      string // w, why it is dead
	History     string // h, packed: time in ms, worker, error of the last failed attempts
	Policy      string // m, the message's own retry policy
	OrderKey    string // k, messages with the same one are handled one after another
	UniqueKey   string // q, no second message with the same one until this one is finished
	Level       int64  // y, priority; 0 = normal
	Type        string // v, what kind of event it is: segments with dots between them
	KeepResult  int64  // o, ms for which the result is kept; 0 = there is none
	Header      []string
}

// MalformedError says why a stream entry is no message.
type MalformedError struct{ Reason string }

func (e *MalformedError) Error() string { return "malformed message: " + e.Reason }

// appendFields appends the fields as arguments of a command. The payload comes
// first and is always there: entries with the same field names share them in
// Redis' memory.
func (e *Envelope) appendFields(args []any) []any {
	args = append(args, fieldPayload, e.Payload)
	e.each(
		func(name, v string) { args = append(args, name, v) },
		func(name string, v int64) { args = append(args, name, v) },
	)
	return args
}

// each calls one of the two for every field that there is, but for the payload.
func (e *Envelope) each(text func(name, v string), number func(name string, v int64)) {
	str := func(name, v string) {
		if v != "" {
			text(name, v)
		}
	}
	num := func(name string, v int64) {
		if v != 0 {
			number(name, v)
		}
	}
	str("i", e.ID)
	num("a", int64(e.Attempts))
	num("t", e.Created)
	num("x", e.TTL)
	str("u", e.Target)
	str("r", e.ReplyTo)
	str("m", e.Policy)
	str("k", e.OrderKey)
	str("q", e.UniqueKey)
	num("y", e.Level)
	num("o", e.KeepResult)
	str("v", e.Type)
	for i := 0; i+1 < len(e.Header); i += 2 {
		text(e.Header[i], e.Header[i+1])
	}
}

// fieldPayload is boxed once: it is an argument of every send.
var fieldPayload any = "p"

// MaxHeaders is how many headers a message may have: a Lua script passes all
// fields as arguments of one call, of which there are not many.
const MaxHeaders = 128

const maxFields = 2 * (MaxHeaders + 32)

// maxNumber is the largest number of a field: what Lua can count to, and far
// from where sums of them wrap around.
const maxNumber = 1 << 53

// DecodeEnvelope reads an entry's fields. Byte slices and strings of the
// result do not alias fields, except for Payload, which does.
func DecodeEnvelope(fields [][]byte) (Envelope, error) {
	var e Envelope
	if len(fields)%2 != 0 {
		return e, &MalformedError{"a field has no value"}
	}
	if len(fields) > maxFields {
		return e, &MalformedError{fmt.Sprintf("it has %d fields: at most %d are allowed", len(fields)/2, maxFields/2)}
	}
	var errs []error
	num := func(name string, v []byte) int64 {
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil || n < 0 || n > maxNumber {
			errs = append(errs, &MalformedError{fmt.Sprintf("field %q is %.40q: want a number, 0 to 2^53", name, v)})
		}
		return n
	}
	for i := 0; i < len(fields); i += 2 {
		name, v := fields[i], fields[i+1]
		if len(name) != 1 {
			if len(name) == 0 {
				errs = append(errs, &MalformedError{"a field has no name"})
				continue
			}
			if e.Header == nil {
				e.Header = make([]string, 0, len(fields)-i)
			}
			e.Header = append(e.Header, string(name), string(v))
			continue
		}
		switch name[0] {
		case 'p':
			e.Payload = v[:len(v):len(v)]
		case 'i':
			e.ID = string(v)
		case 'a':
			e.Attempts = int(num("a", v))
		case 't':
			e.Created = num("t", v)
		case 'x':
			e.TTL = num("x", v)
		case 'u':
			e.Target = string(v)
		case 'r':
			e.ReplyTo = string(v)
		case 'e':
			e.Error = string(v)
		case 'f':
			e.FirstFailed = num("f", v)
		case 'l':
			e.LastFailed = num("l", v)
		case 'w':
			e.Reason = string(v)
		case 'h':
			e.History = string(v)
		case 'm':
			e.Policy = string(v)
		case 'k':
			e.OrderKey = string(v)
		case 'q':
			e.UniqueKey = string(v)
		case 'y':
			e.Level = num("y", v)
		case 'v':
			e.Type = string(v)
		case 'o':
			e.KeepResult = num("o", v)
		}
		// A letter from a newer version is passed over.
	}
	if e.Payload == nil {
		errs = append(errs, &MalformedError{`field "p" (the payload) is missing`})
	}
	return e, errors.Join(errs...)
}
