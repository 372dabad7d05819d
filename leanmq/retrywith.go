package leanmq

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// RetryWith gives the message a retry policy of its own. The fields that are set
// win over those of the consumer's policy. Setting MinBackoff, MaxBackoff or
// NoJitter replaces a Backoff function of the consumer's.
//
// A Backoff function cannot travel and is refused: for a fixed delay, set
// MinBackoff, MaxBackoff and NoJitter. Times travel in whole milliseconds.
func RetryWith(p RetryPolicy) SendOption {
	err := checkOwnPolicy(p)
	text := formatPolicy(p)
	return func(c *sendConfig) {
		if err != nil {
			c.fail(err)
			return
		}
		c.policy, c.maxAge = text, p.MaxAge
	}
}

// retryWith names the fields in errors.
type retryWith struct{ RetryWith RetryPolicy }

func checkOwnPolicy(p RetryPolicy) error {
	if p.Backoff != nil {
		return invalid("RetryWith.Backoff",
			"is a function, which cannot travel with a message: set MinBackoff, MaxBackoff and NoJitter")
	}
	// What is not set fits to what is.
	if p.MinBackoff == 0 && p.MaxBackoff > 0 {
		p.MinBackoff = max(min(time.Second, p.MaxBackoff), time.Millisecond)
	}
	return check(&retryWith{p.withDefaults()})
}

// The text of a policy is a list such as "n=3,min=1000,max=60000,age=3600000,jitter=0",
// times in ms. Names that are not known belong to a newer version.
func formatPolicy(p RetryPolicy) string {
	var parts []string
	add := func(name string, v int64) {
		if v != 0 {
			parts = append(parts, name+"="+strconv.FormatInt(v, 10))
		}
	}
	add("n", int64(p.MaxAttempts))
	add("min", wholeMs(p.MinBackoff))
	add("max", wholeMs(p.MaxBackoff))
	add("age", wholeMs(p.MaxAge))
	if p.NoJitter {
		parts = append(parts, "jitter=0")
	}
	return strings.Join(parts, ",")
}

// wholeMs rounds up: 0 means that it is not set.
func wholeMs(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

func parsePolicy(text string) (p RetryPolicy, err error) {
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return p, fmt.Errorf("%.40q is not name=number", part)
		}
		switch name {
		case "n", "min", "max", "age", "jitter":
		default:
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 || n > maxPolicyNumber {
			return p, fmt.Errorf("%.40q is not name=number", part)
		}
		ms := time.Duration(n) * time.Millisecond
		switch name {
		case "n":
			p.MaxAttempts = int(n)
		case "min":
			p.MinBackoff = ms
		case "max":
			p.MaxBackoff = ms
		case "age":
			p.MaxAge = ms
		case "jitter":
			p.NoJitter = n == 0
		}
	}
	return p, checkOwnPolicy(p)
}

// maxPolicyNumber is more than any field may be and no overflow, in ms.
const maxPolicyNumber = 1 << 40

// policy is what holds for a message.
func (c *consumeConfig) policy(m *Message, log *zerolog.Logger) RetryPolicy {
	if m.extra == nil || m.extra.policy == "" {
		return c.Retry
	}
	own, err := parsePolicy(m.extra.policy)
	if err != nil {
		log.Warn().Str("id", m.ID).AnErr("error", err).Msg("the message's own retry policy is malformed: ignored")
		m.extra.policy = "" // said once a delivery
		return c.Retry
	}
	return own.over(c.Retry)
}
