package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// asSent is what arrives when fields are sent as arguments of a command.
func asSent(t testing.TB, args []any) [][]byte {
	t.Helper()
	out := make([][]byte, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case []byte:
			out[i] = append([]byte{}, a...)
		case string:
			out[i] = []byte(a)
		case int64:
			out[i] = strconv.AppendInt(nil, a, 10)
		default:
			t.Fatalf("argument %d is a %T", i, a)
		}
	}
	return out
}

func TestEnvelopeRoundTrip(t *testing.T) {
	everyByte := make([]byte, 256)
	for i := range everyByte {
		everyByte[i] = byte(i)
	}
	for name, e := range map[string]Envelope{
		"payload only":  {Payload: []byte("hello")},
		"empty payload": {Payload: []byte{}},
		"every byte":    {Payload: everyByte, ID: string(everyByte), Header: []string{"hh", string(everyByte)}},
		"all that a sender sets": {
			Payload: []byte("p"), ID: "welcome-42", Attempts: 3, Created: 1700000000000, TTL: 5000,
			Target: "POST /orders/{id}", ReplyTo: "c1@leanmq:inbox:{x}",
			Header: []string{"traceparent", "00-1", "empty", ""},
		},
		"large numbers": {Payload: []byte("p"), Attempts: math.MaxInt32, Created: 1 << 52, TTL: 1 << 50},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeEnvelope(asSent(t, e.appendFields(nil)))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, e) {
				t.Errorf("got  %+v\nwant %+v", got, e)
			}
		})
	}
}

// A sender in another language knows only "p".
func TestNilPayloadIsSentAsAnEmptyOne(t *testing.T) {
	e := Envelope{}
	got, err := DecodeEnvelope(asSent(t, e.appendFields(nil)))
	if err != nil || got.Payload == nil || len(got.Payload) != 0 {
		t.Errorf("%q, %v", got.Payload, err)
	}
}

func TestScriptsFieldsAreDecoded(t *testing.T) {
	got, err := DecodeEnvelope(split("p", "x", "e", "boom", "f", "11", "l", "12", "w", "crashed", "a", "2"))
	want := Envelope{Payload: []byte("x"), Error: "boom", FirstFailed: 11, LastFailed: 12, Reason: "crashed", Attempts: 2}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func split(s ...string) [][]byte {
	out := make([][]byte, len(s))
	for i := range s {
		out[i] = []byte(s[i])
	}
	return out
}

func TestMalformedEntriesSayWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields [][]byte
		want   string
	}{
		{"no fields", nil, `field "p"`},
		{"a header only", split("foo", "bar"), `field "p"`},
		{"odd", split("p"), "no value"},
		{"odd after a payload", split("p", "x", "a"), "no value"},
		{"a name without letters", split("p", "x", "", "y"), "no name"},
		{"attempts are no number", split("p", "x", "a", "many"), `field "a" is "many"`},
		{"attempts are empty", split("p", "x", "a", ""), `field "a"`},
		{"attempts are negative", split("p", "x", "a", "-1"), `field "a"`},
		{"time is a fraction", split("p", "x", "t", "1.5"), `field "t"`},
		{"time is in Lua's notation", split("p", "x", "t", "1.7e+12"), `field "t"`},
		{"ttl is too large a number", split("p", "x", "x", "9999999999999999999"), `field "x"`},
		{"too many fields", split(append([]string{"p", "x"}, slices.Repeat([]string{"hh", "v"}, 300)...)...), "301 fields"},
		{"failure times", split("p", "x", "f", "?", "l", "?"), `field "l"`},
		{"the value is quoted, and cut", split("p", "x", "a", "\x1b[2J"+strings.Repeat("z", 1000)), `"\x1b[2Jzzz`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := DecodeEnvelope(tt.fields)
			var bad *MalformedError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want a MalformedError with %s", err, tt.want)
			}
			if len(err.Error()) > 500 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// Numbers that a foreign sender may write must not wrap around when they are
// added up: a message would be expired at once, and dropped.
func TestNumbersThatWouldOverflowAreMalformed(t *testing.T) {
	for _, field := range []string{"a", "t", "x"} {
		_, err := DecodeEnvelope(split("p", "x", field, strconv.Itoa(math.MaxInt64)))
		var bad *MalformedError
		if !errors.As(err, &bad) {
			t.Errorf("%s = MaxInt64: %v", field, err)
		}
	}
}

func TestLettersOfNewerVersionsArePassedOver(t *testing.T) {
	got, err := DecodeEnvelope(split("p", "x", "Z", "new", "zz", "header"))
	want := Envelope{Payload: []byte("x"), Header: []string{"zz", "header"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecodedStringsDoNotAliasTheReply(t *testing.T) {
	fields := split("p", "payload", "i", "id", "hh", "value")
	got, err := DecodeEnvelope(fields)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		for i := range f {
			f[i] = '!'
		}
	}
	if got.ID != "id" || got.Header[0] != "hh" || got.Header[1] != "value" {
		t.Errorf("%+v", got)
	}
	_ = append(got.Payload, "more"...)
	if fields[2][0] != '!' {
		t.Error("appending to the payload wrote into the next field")
	}
}

func TestUnpackReadsWhatPackWrote(t *testing.T) {
	pack := func(fields ...string) string {
		var b strings.Builder
		for _, f := range fields {
			fmt.Fprintf(&b, "%d:%s", len(f), f)
		}
		return b.String()
	}
	for _, want := range [][]string{
		{}, {""}, {"p", "x"}, {"p", "3:abc", "1:", ":"}, {"p", "\x00\xff\r\n", "", ""},
	} {
		got, err := UnpackFields(pack(want...))
		if err != nil || len(got) != len(want) {
			t.Errorf("%q: %q, %v", want, got, err)
			continue
		}
		for i := range want {
			if string(got[i]) != want[i] {
				t.Errorf("%q: %q", want, got)
			}
		}
	}
	for _, damaged := range []string{"1", "1:", "x:a", ":a", "-1:a", "3:ab", "1:a2:b", "99999999999:a"} {
		if got, err := UnpackFields(damaged); err == nil {
			t.Errorf("%q: %q", damaged, got)
		}
	}
}

func TestEntryTime(t *testing.T) {
	for id, want := range map[string]int64{"1700000000000-3": 1700000000000, "0-1": 0, "token": 0, "": 0} {
		if got := EntryTime(id); got != want {
			t.Errorf("EntryTime(%q) = %d, want %d", id, got, want)
		}
	}
}

// FuzzDecodeEnvelope: no input panics; what decodes is encoded to something
// that decodes to the same.
func FuzzDecodeEnvelope(f *testing.F) {
	for _, seed := range [][]string{
		{"p", "hello"},
		{"p", "x", "i", "id", "a", "1", "t", "1700000000000", "x", "5", "u", "/a", "r", "k", "c", "c", "traceparent", "00"},
		{"p", "x", "e", "boom", "f", "1", "l", "2", "w", "exhausted", "h", "1:a"},
		{"p"},
		{},
		{"", ""},
		{"p", "x", "a", "-9223372036854775808"},
	} {
		f.Add([]byte(strings.Join(seed, "\x1f")))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		fields := bytes.Split(raw, []byte{0x1f})
		e, err := DecodeEnvelope(fields)
		if err != nil {
			var bad *MalformedError
			if !errors.As(err, &bad) {
				t.Fatalf("not a MalformedError: %v", err)
			}
			return
		}
		if e.Attempts < 0 || e.Created < 0 || e.TTL < 0 || e.Created+e.TTL < 0 || e.Attempts+1 < 0 {
			t.Fatalf("numbers out of bounds: %+v", e)
		}
		again, err := DecodeEnvelope(asSent(t, e.appendFields(nil)))
		if err != nil {
			t.Fatalf("%+v does not survive: %v", e, err)
		}
		// Only scripts write these.
		again.Error, again.Reason, again.History = e.Error, e.Reason, e.History
		again.FirstFailed, again.LastFailed = e.FirstFailed, e.LastFailed
		if !reflect.DeepEqual(again, e) {
			t.Fatalf("%+v became %+v", e, again)
		}
	})
}
