package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// seen is what an independent client finds in Redis, as lines that the model can
// write as well (lines), and what the model has to learn from it (learn).
type seen struct {
	lines    []string
	streams  map[int][]rawEntry
	dead     []rawEntry
	tokens   map[string]redis.Z // by payload
	keys     []string
	problems []string
}

type rawEntry struct{ id, payload string }

// look reads everything there is, in one round trip and in one moment.
func look(ctx context.Context, c redis.UniversalClient, q *store.Queue, m *model) (*seen, error) {
	s := &seen{streams: map[int][]rawEntry{}, tokens: map[string]redis.Z{}}
	c, err := redistest.Holder(ctx, c, q.Stream)
	if err != nil {
		return nil, err
	}
	p := c.TxPipeline()
	streams, pending, consumers := map[int]*redis.Cmd{}, map[int]*redis.XPendingExtCmd{}, map[int]*redis.XInfoConsumersCmd{}
	for _, level := range modelLevels {
		key := q.Level(level).Stream
		streams[level] = p.Do(ctx, "XRANGE", key, "-", "+")
		pending[level] = p.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: key, Group: "leanmq", Start: "-", End: "+", Count: 10000})
		consumers[level] = p.XInfoConsumers(ctx, key, "leanmq")
	}
	dead := p.Do(ctx, "XRANGE", q.Dead, "-", "+")
	delayed, bodies := p.ZRangeWithScores(ctx, q.Delayed, 0, -1), p.HGetAll(ctx, q.Bodies)
	lanes := map[string]*redis.StringSliceCmd{}
	for _, key := range modelKeys {
		lanes[key] = p.LRange(ctx, q.Lane(key), 0, -1)
	}
	hashes := map[string]*redis.MapStringStringCmd{
		"unique": p.HGetAll(ctx, q.Unique), "meta": p.HGetAll(ctx, q.Meta), "epoch": p.HGetAll(ctx, q.Workers),
	}
	order := p.HKeys(ctx, q.Order)
	canceled := p.ZRange(ctx, q.Canceled, 0, -1)
	values, ttls := map[string]*redis.StringCmd{}, map[string]*redis.DurationCmd{}
	for key := range m.remembered {
		values[key], ttls[key] = p.Get(ctx, key), p.PTTL(ctx, key)
	}
	for id := range m.results {
		key := q.Result(id)
		values[key], ttls[key] = p.Get(ctx, key), p.PTTL(ctx, key)
	}
	keys := p.Keys(ctx, "*")
	if _, err := p.Exec(ctx); err != nil && keys.Err() != nil {
		return nil, err
	}

	for _, level := range modelLevels {
		owners := map[string]string{}
		for _, x := range pending[level].Val() { // an error means: no group yet
			owners[x.ID] = fmt.Sprintf("%s, delivery %d", x.Consumer, x.RetryCount)
		}
		for _, fields := range rawEntries(streams[level]) {
			id := fields[0]
			text, payload := canonical(fields[1:])
			s.streams[level] = append(s.streams[level], rawEntry{id, payload})
			s.line("stream %d: %s %s (%s)", level, id, text, owners[id])
			delete(owners, id)
		}
		for id, owner := range owners {
			s.line("stream %d: %s is pending without an entry (%s)", level, id, owner)
		}
		for _, c := range consumers[level].Val() {
			s.line("consumer %d: %s", level, c.Name)
		}
	}
	for _, fields := range rawEntries(dead) {
		text, payload := canonical(fields[1:])
		s.dead = append(s.dead, rawEntry{fields[0], payload})
		s.line("dead: %s %s", fields[0], text)
	}
	for _, z := range delayed.Val() {
		token, _ := z.Member.(string)
		s.line("scheduled: %s at %.0f", token, z.Score)
		if text, payload := unpacked(bodies.Val()[token]); text != "" {
			s.tokens[payload] = z
		}
	}
	for token, body := range bodies.Val() {
		text, _ := unpacked(body)
		s.line("body: %s %s", token, text)
	}
	for key, lane := range lanes {
		for i, body := range lane.Val() {
			text, _ := unpacked(body)
			s.line("lane %s: %d. %s", key, i, text)
		}
	}
	for what, hash := range hashes {
		for field, value := range hash.Val() {
			if what != "meta" || field != "blocked" || value != "0" {
				s.line("%s: %s %s", what, field, value)
			}
		}
	}
	for _, key := range order.Val() {
		s.line("under way: %s", key)
	}
	for _, id := range canceled.Val() {
		s.line("canceled: %s", id)
	}
	for key, value := range values {
		if errors.Is(value.Err(), redis.Nil) || ttls[key].Val() <= 0 {
			s.problems = append(s.problems, fmt.Sprintf("%s: %v, TTL %v", key, value.Err(), ttls[key].Val()))
		}
		s.line("value: %s %s", key, resultText(value.Val()))
	}
	s.keys = keys.Val()
	return s, nil
}

func (s *seen) line(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// rawEntries are id, name, value, … of each entry: a map would hide a field that
// is there twice.
func rawEntries(cmd *redis.Cmd) [][]string {
	list, _ := cmd.Slice()
	out := make([][]string, 0, len(list))
	for _, e := range list {
		pair, _ := e.([]any)
		fields := []string{fmt.Sprint(pair[0])}
		values, _ := pair[1].([]any)
		for _, v := range values {
			fields = append(fields, fmt.Sprint(v))
		}
		out = append(out, fields)
	}
	return out
}

func unpacked(body string) (text, payload string) {
	parts, err := store.UnpackFields(body)
	if err != nil {
		return fmt.Sprintf("%q: %v", body, err), ""
	}
	fields := make([]string, len(parts))
	for i, part := range parts {
		fields[i] = string(part)
	}
	return canonical(fields)
}

// canonical is what msg.fields writes.
func canonical(fields []string) (text, payload string) {
	var out []string
	for i := 0; i+1 < len(fields); i += 2 {
		name, value := fields[i], fields[i+1]
		switch name {
		case "p":
			payload = value
		case "h": // the history of attempts has tests of its own
			continue
		case "t", "f", "l":
			if at, err := strconv.ParseInt(value, 10, 64); err == nil && time.Since(time.UnixMilli(at)).Abs() < time.Hour {
				value = "*"
			}
		}
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return strings.Join(out, " "), payload
}

// resultText leaves the time out of a packed result; other values stay as they are.
func resultText(value string) string {
	if parts, err := store.UnpackFields(value); err == nil && len(parts) == 3 {
		return string(parts[0]) + " " + string(parts[2])
	}
	return value
}
