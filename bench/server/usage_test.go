package server

import (
	"testing"
	"time"
)

func TestParseUsage(t *testing.T) {
	got := parseUsage("# Server\r\nprocess_id:42\r\n# CPU\r\nused_cpu_sys:0.250000\r\nused_cpu_user:1.500000\r\n" +
		"used_cpu_sys_children:9.0\r\n# Memory\r\nused_memory:1048576\r\nused_memory_rss:9\r\n# Commandstats\r\n" +
		"cmdstat_xadd:calls=7,usec=70,usec_per_call=10.00\r\ncmdstat_info:calls=3,usec=1\r\n" +
		"cmdstat_client|unblock:calls=2,usec=1\r\n")
	want := Usage{Commands: 9, CPU: 1750 * time.Millisecond, Memory: 1 << 20, pid: 42}
	if got != want {
		t.Errorf("parseUsage = %+v, want %+v", got, want)
	}
}
