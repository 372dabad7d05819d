package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/leanmq/leanmq/leanmq"
)

// letterJSON is a dead letter for programs.
type letterJSON struct {
	Queue         string        `json:"queue"`
	Letter        string        `json:"letter"`
	MessageID     string        `json:"message_id"`
	Target        string        `json:"target,omitzero"`
	Reason        string        `json:"reason"`
	Error         string        `json:"error"`
	Attempts      int           `json:"attempts"`
	SentAt        time.Time     `json:"sent_at"`
	FirstFailed   time.Time     `json:"first_failed"`
	LastFailed    time.Time     `json:"last_failed"`
	History       []attemptJSON `json:"history,omitempty"`
	Deadline      time.Time     `json:"deadline,omitzero"`
	Headers       leanmq.Header `json:"headers,omitzero"`
	Payload       *string       `json:"payload,omitempty"` // if it is UTF-8
	PayloadBase64 []byte        `json:"payload_base64,omitempty"`
}

// attemptJSON is one of the last failed attempts, oldest first.
type attemptJSON struct {
	At     time.Time `json:"at"`
	Worker string    `json:"worker"`
	Error  string    `json:"error"`
}

func newLetterJSON(d *leanmq.DeadLetter) letterJSON {
	m := &d.Message
	l := letterJSON{
		Queue: m.Queue, Letter: d.Letter, MessageID: m.ID, Target: m.Target,
		Reason: d.Reason, Error: d.Error, Attempts: m.Attempt,
		SentAt: m.SentAt.UTC(), FirstFailed: d.FirstFailed.UTC(), LastFailed: d.LastFailed.UTC(),
		Headers: m.Header,
	}
	for _, a := range m.History() {
		l.History = append(l.History, attemptJSON{At: a.At.UTC(), Worker: a.Worker, Error: a.Error})
	}
	if !m.Deadline.IsZero() {
		l.Deadline = m.Deadline.UTC()
	}
	if utf8.Valid(m.Payload) {
		text := string(m.Payload)
		l.Payload = &text
	} else {
		l.PayloadBase64 = m.Payload
	}
	return l
}

// printJSON prints v on a line of its own.
func (c *call) printJSON(v any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	// JSON leaves some characters as they are that a terminal obeys, such as
	// U+009B. They can only be in strings, where an escape means the same.
	for _, r := range line.String() {
		if r < 0x7f || unicode.IsGraphic(r) {
			_, _ = c.out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			_, _ = fmt.Fprintf(c.out, `\u%04x`, unit)
		}
	}
	return nil
}
