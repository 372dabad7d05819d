package embedded

import (
	"fmt"
	"strings"
	"testing"
)

// What LeanMQ's scripts use and Redis has. When one of these fails after an
// update of miniredis, the scripts fail too.
func TestScripts(t *testing.T) {
	ctx, c := t.Context(), start(t)
	for _, tt := range []struct{ name, script, want string }{
		{
			"XADD to no stream",
			`return tostring(redis.call('XADD', 'none', 'NOMKSTREAM', '*', 'f', 'v'))`, "false",
		},
		{
			"trim by id",
			`for i = 1, 5 do redis.call('XADD', 'trim', i .. '-0', 'f', 'v') end
			return redis.call('XTRIM', 'trim', 'MINID', '3-0')`, "2",
		},
		{
			"pending of a consumer, longer than",
			`redis.call('XGROUP', 'CREATE', 'trim', 'g', '0')
			redis.call('XREADGROUP', 'GROUP', 'g', 'a', 'COUNT', 1, 'STREAMS', 'trim', '>')
			redis.call('XREADGROUP', 'GROUP', 'g', 'b', 'STREAMS', 'trim', '>')
			return {#redis.call('XPENDING', 'trim', 'g', 'IDLE', 0, '-', '+', 10, 'b'),
				#redis.call('XPENDING', 'trim', 'g', 'IDLE', 60000, '-', '+', 10),
				redis.call('XPENDING', 'trim', 'g', '3-0', '3-0', 1)[1][2]}`, "[2 0 a]",
		},
		{
			"claim with a given count and idle time",
			`redis.call('XCLAIM', 'trim', 'g', 'b', 0, '3-0', 'IDLE', 60000, 'RETRYCOUNT', 1, 'JUSTID')
			local p = redis.call('XPENDING', 'trim', 'g', '3-0', '3-0', 1)[1]
			return {p[2], p[3] >= 60000 and 'idle' or p[3], p[4]}`, "[b idle 1]",
		},
		{
			"consumers",
			`local made = redis.call('XGROUP', 'CREATECONSUMER', 'trim', 'g', 'c')
			local c = redis.call('XINFO', 'CONSUMERS', 'trim', 'g')
			return {made, #c, c[3][1], c[3][2], c[3][3], c[3][4], c[3][5],
				redis.call('XGROUP', 'DELCONSUMER', 'trim', 'g', 'b'),
				#redis.call('XPENDING', 'trim', 'g', '-', '+', 10)}`, "[1 3 name c pending 0 idle 3 0]",
		},
		{
			"milliseconds",
			`local t = redis.call('TIME')
			return #string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))`, "13",
		},
		{"publish", `return redis.call('PUBLISH', 'nobody', 'm')`, "0"},
		{
			"a caught error",
			`local r = redis.pcall('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'none', '>')
			return r.err`, "NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option",
		},
		{"an error of one's own", `return redis.error_reply('FULL the queue is full')`, "FULL the queue is full"},
		{
			"a thousand values",
			`local t = {} for i = 1, 1000 do t[i] = i end return redis.call('RPUSH', 'list', unpack(t))`, "1000",
		},
	} {
		got, err := c.Eval(ctx, tt.script, nil).Result()
		if err != nil {
			got = err
		}
		if s := fmt.Sprint(got); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, s, tt.want)
		}
	}
}

// What the package comment says is different. When one of these fails,
// miniredis got better, and the comment is out of date.
func TestDifferences(t *testing.T) {
	ctx, c := t.Context(), start(t)
	if err := c.XGroupCreateMkStream(ctx, "s", "g", "0").Err(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, command, want string }{
		{"", "XADD s 1-0 f v", "1-0"},
		{"", "XADD s 2-0 f v", "2-0"},
		{"", "XREADGROUP GROUP g a STREAMS s >", "[[s [[1-0 [f v]] [2-0 [f v]]]]]"},
		{"COUNT of a history read", "XREADGROUP GROUP g a COUNT 1 STREAMS s 0", "[[s [[1-0 [f v]] [2-0 [f v]]]]]"},
		{"idle time of a consumer", "EVAL return{redis.call('XINFO','CONSUMERS','s','g')[1][6]} 0", "[-1]"},
		{"min-idle-time of XCLAIM", "XCLAIM s g b 60000 1-0 JUSTID", "[1-0]"},
		{"deliveries after JUSTID", "EVAL return{redis.call('XPENDING','s','g','-','+',1)[1][4]} 0", "[3]"},
		{"", "XDEL s 2-0", "1"},
		{"XACK of a deleted entry", "XACK s g 2-0", "0"},
		{"an id below a deleted one", "XADD s 2-0 f v", "2-0"},
		{"CLIENT ID", "CLIENT ID", "ERR unknown subcommand 'ID'. Try CLIENT HELP."},
		{"an error that is not caught", "EVAL redis.call('XLEN') 0", "ERR Error compiling script"},
	} {
		words := strings.Fields(tt.command)
		args := make([]any, len(words))
		for i, w := range words {
			args[i] = w
		}
		got, err := c.Do(ctx, args...).Result()
		if err != nil {
			got = err
		}
		if s := fmt.Sprint(got); s != tt.want && !(err != nil && strings.HasPrefix(s, tt.want)) {
			t.Errorf("%s: %s: %s, want %s", tt.name, tt.command, s, tt.want)
		}
	}
}
