// SPDX-License-Identifier: MIT

package client

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"einhyrningsins/internal/wire"
)

// An answer that is too long is not asked for again, and is not called lost.
func TestAnswerThatIsTooLong(t *testing.T) {
	asked := 0
	f := newFake(t, func(s *session, r wire.Request) bool {
		asked++
		s.line(bytes.Repeat([]byte{' '}, maxReply+64<<10))
		return true
	})
	_, err := connect(t, f.path).Status(testContext(t))
	if err == nil || !strings.Contains(err.Error(), "cannot read the answer to status: it is no answer that einhyrningsins gives: it is longer than 16777216 bytes") || asked != 1 {
		t.Errorf("got %v after %d requests", err, asked)
	}
}

func TestSilenceIsToldOnce(t *testing.T) {
	told := make(chan int, 9)
	f := newFake(t, func(s *session, r wire.Request) bool {
		pid := <-told // nobody answers before
		return s.ok(r, fmt.Sprint(pid))
	})
	c := connect(t, f.path)
	c.OnSilence(time.Millisecond, func(pid int) { told <- pid })
	if message, err := c.Ehlo(testContext(t)); err != nil || runtime.GOOS == "linux" && message != fmt.Sprint(os.Getpid()) {
		t.Errorf("got %q, %v", message, err)
	}
	if len(told) > 0 {
		t.Error("told twice")
	}
}
