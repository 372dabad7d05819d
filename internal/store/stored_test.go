package store

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestStored(t *testing.T) {
	for name, m := range map[string]Stored{
		"plain": {},
		"all": {
			Envelope: Envelope{
				ID: "i", Target: "POST /é", Policy: "n=3", TTL: 5, Level: 2, OrderKey: "\x00\xff", UniqueKey: "q",
				KeepResult: 7, Header: []string{"name", "", "p2", "x\x00"},
			},
			Terms: SendTerms{Delay: time.Minute, Window: time.Hour, For: "f", Unique: time.Second},
		},
		"publish": {
			Envelope: Envelope{ID: "i", Type: "order.created", TTL: 5, OrderKey: "k"},
			Terms:    SendTerms{Window: time.Hour}, Topic: true,
		},
		"due":       {Terms: SendTerms{Due: time.UnixMilli(1_700_000_000_001)}},
		"long past": {Terms: SendTerms{Due: time.UnixMilli(1)}},
	} {
		m.Envelope.Payload = []byte("the payload is kept elsewhere")
		options := m.Options()
		got, err := UnpackStored(options, m.Envelope.Payload)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("%s: got %+v\nwant %+v", name, got, m)
		}
		if strings.Contains(string(options), "elsewhere") {
			t.Errorf("%s: %q", name, options)
		}
	}
}

func TestStoredIsNotRead(t *testing.T) {
	p := Pack("p", "")
	for name, text := range map[string]string{
		"nothing":      "",
		"rubbish":      "rubbish",
		"newer":        Pack("2", "", p),
		"more parts":   Pack("1", "", p, ""),
		"bad terms":    Pack("1", Pack("delay"), p),
		"unknown term": Pack("1", Pack("moon", "1"), p),
		"bad number":   Pack("1", Pack("delay", "-1"), p),
		"bad fields":   Pack("1", "", "x"),
		"half a field": Pack("1", "", Pack("p")),
		"new field":    Pack("1", "", p+Pack("z", "1")),
	} {
		var bad *MalformedError
		if m, err := UnpackStored([]byte(text), nil); !errors.As(err, &bad) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

func TestAged(t *testing.T) {
	for _, tt := range []struct {
		delay, age time.Duration
		ttl        int64
		want       time.Duration
		wantTTL    int64
	}{
		{time.Minute, time.Second, 0, 59 * time.Second, 0},
		{time.Minute, time.Hour, 0, 0, 0},
		{0, time.Second, 1500, 0, 500},
		{0, time.Second, 1000, 0, 1},
		{time.Minute, -time.Second, 1000, time.Minute, 1000}, // a clock was set back
	} {
		m := Stored{Envelope: Envelope{TTL: tt.ttl}, Terms: SendTerms{Delay: tt.delay}}
		m.Aged(tt.age)
		if m.Terms.Delay != tt.want || m.Envelope.TTL != tt.wantTTL {
			t.Errorf("%+v: %v, %d", tt, m.Terms.Delay, m.Envelope.TTL)
		}
	}
}
