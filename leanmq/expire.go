package leanmq

import (
	"fmt"
	"time"

	"github.com/rs/zerolog"
)

// ExpiryPolicy says what becomes of a message whose time is up (see [TTL]). No
// handler sees it either way, and [QueueInfo] counts it.
type ExpiryPolicy uint8

// What becomes of expired messages.
const (
	DropExpired       ExpiryPolicy = iota // settled as done
	DeadLetterExpired                     // dead with ReasonExpired
)

// OnExpired sets what becomes of expired messages. Default [DropExpired]. Expired
// requests are always dropped: nobody waits any more.
func OnExpired(p ExpiryPolicy) ConsumeOption { return func(c *consumeConfig) { c.OnExpired = p } }

// late returns the verdict on a message that no handler is to see any more: its
// time is up, or it is too old to be tried (again).
func (c *consumeConfig) late(mq *Client, m *Message, now time.Time, log *zerolog.Logger) (v verdict, late bool) {
	if m.expired(mq, now) {
		v = c.expire(m, ErrExpired.Error())
		if v.outcome == outcomeExpired {
			log.Debug().Str("id", m.ID).Msg("expired: dropped")
		}
	} else if c.Retry.MaxAge == 0 && m.extra.ownPolicy() == "" || m.replyTo != "" {
		return v, false
	} else if policy := c.policy(m, log); policy.tooOld(mq.age(m, now), 0) {
		v = verdict{outcome: outcomeDead, reason: ReasonTooOld, err: fmt.Sprintf("older than the MaxAge of %v", policy.MaxAge)}
	} else {
		return v, false
	}
	if v.outcome == outcomeDead {
		if m.LastError != "" {
			v.err += "; last error: " + m.LastError
		}
		log.Error().Str("id", m.ID).Str("reason", v.reason).Msg("dead-lettered")
	}
	m.Attempt-- // this one does not take place
	return v, true
}

// expire is the verdict on an expired message.
func (c *consumeConfig) expire(m *Message, text string) verdict {
	if c.OnExpired == DeadLetterExpired && m.replyTo == "" {
		return verdict{outcome: outcomeDead, reason: ReasonExpired, err: text}
	}
	return verdict{outcome: outcomeExpired}
}

// age is how long ago the message was sent, by the server's clock.
func (c *Client) age(m *Message, now time.Time) time.Duration {
	return now.Sub(c.local(m.SentAt))
}
