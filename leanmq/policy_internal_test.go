package leanmq

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestCeilings(t *testing.T) {
	for _, tt := range []struct {
		lowest, highest time.Duration
		attempt         int
		want            time.Duration
	}{
		{time.Second, 10 * time.Minute, 1, time.Second},
		{time.Second, 10 * time.Minute, 2, 2 * time.Second},
		{time.Second, 10 * time.Minute, 10, 512 * time.Second},
		{time.Second, 10 * time.Minute, 11, 10 * time.Minute},
		{time.Second, 10 * time.Minute, 1_000_000, 10 * time.Minute},
		{time.Minute, time.Minute, 1, time.Minute},
		{time.Minute, time.Minute, 7, time.Minute},
		{3, 8, 2, 6},
		{3, 8, 3, 8},
		{1, math.MaxInt64, 100, math.MaxInt64},
	} {
		if got := ceiling(tt.lowest, tt.highest, tt.attempt); got != tt.want {
			t.Errorf("%v to %v, attempt %d: %v, want %v", tt.lowest, tt.highest, tt.attempt, got, tt.want)
		}
	}
}

func TestBackoffs(t *testing.T) {
	nop := zerolog.Nop()
	delay := func(p RetryPolicy, attempt int) time.Duration {
		return p.withDefaults().delay(attempt, errors.New("boom"), &nop)
	}
	fixed := RetryPolicy{MinBackoff: time.Minute, MaxBackoff: time.Minute, NoJitter: true}
	for _, tt := range []struct {
		name    string
		policy  RetryPolicy
		attempt int
		want    time.Duration
	}{
		{"fixed", fixed, 1, time.Minute},
		{"fixed", fixed, 9, time.Minute},
		{"no jitter", RetryPolicy{NoJitter: true}, 1, time.Second},
		{"no jitter", RetryPolicy{NoJitter: true}, 5, 16 * time.Second},
		{"FixedBackoff", RetryPolicy{Backoff: FixedBackoff(5 * time.Second)}, 3, 5 * time.Second},
		{"FixedBackoff of less than nothing", RetryPolicy{Backoff: FixedBackoff(-5)}, 3, 0},
		{"SequenceBackoff", RetryPolicy{Backoff: SequenceBackoff(1, 2, 3)}, 1, 1},
		{"SequenceBackoff", RetryPolicy{Backoff: SequenceBackoff(1, 2, 3)}, 3, 3},
		{"SequenceBackoff", RetryPolicy{Backoff: SequenceBackoff(1, 2, 3)}, 9, 3},
		{"SequenceBackoff of none", RetryPolicy{Backoff: SequenceBackoff()}, 1, 0},
	} {
		if got := delay(tt.policy, tt.attempt); got != tt.want {
			t.Errorf("%s, attempt %d: %v, want %v", tt.name, tt.attempt, got, tt.want)
		}
	}
	for name, p := range map[string]RetryPolicy{
		"default":               {MinBackoff: time.Second, MaxBackoff: time.Minute},
		"ExponentialBackoff":    {Backoff: ExponentialBackoff(time.Second, time.Minute)},
		"a panic":               {Backoff: func(int, error) time.Duration { panic("oops") }},
		"a panic without value": {Backoff: func(int, error) time.Duration { var f func(); f(); return 0 }},
	} {
		var most time.Duration
		for range 300 {
			d := delay(p, 3)
			if d < 0 || d > 4*time.Second {
				t.Fatalf("%s: %v after the third attempt, want 0 to 4s", name, d)
			}
			most = max(most, d)
		}
		if most < 2*time.Second {
			t.Errorf("%s: never more than %v", name, most)
		}
	}
	for _, d := range []time.Duration{
		ExponentialBackoff(-1, -1)(9, nil), ExponentialBackoff(time.Millisecond, 0)(9, nil),
	} {
		if d < 0 || d > time.Millisecond {
			t.Errorf("%v", d)
		}
	}
}

func TestMessagesPolicyIsReadAsItWasWritten(t *testing.T) {
	for text, p := range map[string]RetryPolicy{
		"":                     {},
		"n=3":                  {MaxAttempts: 3},
		"min=1500,max=60000":   {MinBackoff: 1500 * time.Millisecond, MaxBackoff: time.Minute},
		"max=20":               {MaxBackoff: 20 * time.Millisecond},
		"age=86400000":         {MaxAge: 24 * time.Hour},
		"min=5,max=5,jitter=0": {MinBackoff: 5 * time.Millisecond, MaxBackoff: 5 * time.Millisecond, NoJitter: true},
		"n=1000000,min=86400000,max=31536000000,age=315360000000": {
			MaxAttempts: 1_000_000, MinBackoff: 24 * time.Hour, MaxBackoff: 8760 * time.Hour, MaxAge: 87600 * time.Hour,
		},
	} {
		if got := formatPolicy(p); got != text {
			t.Errorf("%+v is written %q, want %q", p, got, text)
		}
		if err := checkOwnPolicy(p); err != nil {
			t.Error(err)
		}
		if text == "" {
			continue
		}
		if got, err := parsePolicy(text); err != nil || !equalPolicies(got, p) {
			t.Errorf("%q is read %+v, %v", text, got, err)
		}
	}
	if got := formatPolicy(RetryPolicy{MinBackoff: 1_000_001, MaxAge: 1}); got != "min=2,age=1" {
		t.Errorf("%q is not rounded up", got)
	}
}

func equalPolicies(a, b RetryPolicy) bool {
	return a.MaxAttempts == b.MaxAttempts && a.MinBackoff == b.MinBackoff && a.MaxBackoff == b.MaxBackoff &&
		a.NoJitter == b.NoJitter && a.MaxAge == b.MaxAge && (a.Backoff == nil) == (b.Backoff == nil)
}

func TestPolicyOfANewerVersionIsReadAsFarAsItIsKnown(t *testing.T) {
	for _, text := range []string{"n=3,curve=cubic", "speed=9999999999999999999,n=3", "N=x,n=3,=", "n=3,jitter=1"} {
		if got, err := parsePolicy(text); err != nil || !equalPolicies(got, RetryPolicy{MaxAttempts: 3}) {
			t.Errorf("%q is read %+v, %v", text, got, err)
		}
	}
}

func TestMalformedPolicies(t *testing.T) {
	for _, text := range []string{
		"rubbish", ",", "n=3,", "n", "n=", "n=x", "n=-1", "n=1000001", "n=1e3", "min=99999999999999999999", "min=90000000",
		"min=2000,max=1000", "age=999999999999", "jitter=no", "\x00",
	} {
		if got, err := parsePolicy(text); err == nil {
			t.Errorf("%q is read %+v", text, got)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add("n=3,min=1000,max=60000,age=3600000,jitter=0")
	f.Add("n=3,later=x")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePolicy(text)
		if err != nil {
			return
		}
		again := formatPolicy(p)
		if again == "" {
			return
		}
		if got, err := parsePolicy(again); err != nil || !equalPolicies(got, p) {
			t.Errorf("%q: %+v is written %q and read %+v, %v", text, p, again, got, err)
		}
		base := RetryPolicy{}.withDefaults()
		if err := check(&retryWith{p.over(base)}); err != nil {
			t.Errorf("%q over the defaults: %v", text, err)
		}
	})
}

func TestMessagesFieldsWin(t *testing.T) {
	custom := FixedBackoff(0)
	base := RetryPolicy{MaxAttempts: 7, MinBackoff: 10 * time.Second, MaxBackoff: time.Minute, MaxAge: time.Hour}
	for _, tt := range []struct {
		name            string
		own, base, want RetryPolicy
	}{
		{"nothing set", RetryPolicy{}, base, base},
		{"attempts", RetryPolicy{MaxAttempts: 2}, base, RetryPolicy{2, 10 * time.Second, time.Minute, false, time.Hour, nil}},
		{"age", RetryPolicy{MaxAge: 2 * time.Hour}, base, RetryPolicy{7, 10 * time.Second, time.Minute, false, 2 * time.Hour, nil}},
		{"a longer minimum", RetryPolicy{MinBackoff: time.Hour}, base, RetryPolicy{7, time.Hour, time.Hour, false, time.Hour, nil}},
		{"a shorter maximum", RetryPolicy{MaxBackoff: time.Second}, base, RetryPolicy{7, time.Second, time.Second, false, time.Hour, nil}},
		{"both", RetryPolicy{MinBackoff: 1e6, MaxBackoff: 1e9}, base, RetryPolicy{7, 1e6, 1e9, false, time.Hour, nil}},
		{"no jitter", RetryPolicy{NoJitter: true}, base, RetryPolicy{7, 10 * time.Second, time.Minute, true, time.Hour, nil}},
		{
			"the consumer's function stays",
			RetryPolicy{MaxAttempts: 2},
			RetryPolicy{Backoff: custom}.withDefaults(),
			RetryPolicy{2, time.Second, 10 * time.Minute, false, 0, custom},
		},
		{
			"the consumer's function goes",
			RetryPolicy{MinBackoff: 1e6},
			RetryPolicy{Backoff: custom}.withDefaults(),
			RetryPolicy{10, 1e6, 10 * time.Minute, false, 0, nil},
		},
	} {
		if got := tt.own.over(tt.base); !equalPolicies(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
