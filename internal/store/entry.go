package store

import (
	"strconv"
	"time"
)

// Entry is a message where it stands.
type Entry struct {
	Entry      string // the stream entry's id, or a scheduled message's token
	Deliveries int
	Due        time.Time // of a scheduled message
	Envelope
	Malformed error // why the envelope could not be read, or nil
}

// newEntry decodes fields; Deliveries is left to the caller.
func newEntry(id string, fields [][]byte) Entry {
	e := Entry{Entry: id}
	e.Envelope, e.Malformed = DecodeEnvelope(fields)
	if e.ID == "" && e.Level > 0 { // as id_of in lib.lua
		e.ID = id + ".p" + strconv.FormatInt(e.Level, 10)
	}
	return e
}

// byteFields converts the field list in a script's reply.
func byteFields(v any) [][]byte {
	list, _ := v.([]any)
	out := make([][]byte, 0, len(list))
	for _, f := range list {
		s, _ := f.(string)
		out = append(out, []byte(s))
	}
	return out
}
