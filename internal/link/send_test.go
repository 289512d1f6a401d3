// SPDX-License-Identifier: GPL-3.0-or-later

package link

import (
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// refuser is a system that refuses the next sends, each with one of errs.
type refuser struct {
	mu    sync.Mutex
	errs  []error
	heard []error
	again chan struct{} // closed when what was refused has been taken
}

func refuse(c *Conn, errs ...error) *refuser {
	r := &refuser{errs: errs, again: make(chan struct{})}
	c.sendmsg = r.sendmsg
	c.Watch(r.watch)
	return r
}

func (r *refuser) sendmsg(fd int, data, rights []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) > 0 {
		err := r.errs[0]
		r.errs = r.errs[1:]
		return 0, err
	}
	return sendmsg(fd, data, rights)
}

func (r *refuser) watch(err error) {
	r.heard = append(r.heard, err)
	if err == nil {
		close(r.again)
	}
}

// receive takes the next message; nil: the link has ended.
func receive(t *testing.T, c *Conn) Message {
	t.Helper()
	select {
	case in := <-c.In():
		for _, fd := range in.FDs {
			unix.Close(fd)
		}
		return in.Msg
	case <-time.After(10 * time.Second):
		t.Fatal("nothing comes")
		return nil
	}
}

func TestWhatMayPassIsSentLater(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOMEM, unix.ENOBUFS, unix.ETOOMANYREFS} {
		ours, theirs := pair(t)
		r := refuse(ours, errno, errno, unix.EINTR, errno)
		fd, err := unix.Dup(0)
		if err != nil {
			t.Fatal(err)
		}
		ours.Send(&Done{1}, fd)
		ours.Send(&Done{2})
		for want := uint64(1); want <= 2; want++ {
			if m, ok := receive(t, theirs).(*Done); !ok || m.Through != want {
				t.Fatalf("%v: %+v came, want Done %d", errno, m, want)
			}
		}
		<-r.again
		if want := []error{errno, nil}; !slices.Equal(r.heard, want) {
			t.Errorf("%v: heard %v, want %v", errno, r.heard, want)
		}
		if ours.Refused() != nil || ours.Broken() != nil {
			t.Errorf("%v: refused is %v and broken %v afterwards", errno, ours.Refused(), ours.Broken())
		}
	}
}

func TestALinkThatFailsEndsForBothSides(t *testing.T) {
	ours, theirs := pair(t)
	theirs.Send(&Done{1})
	refuse(ours, unix.EPERM)
	ours.Send(&Begin{})
	if m := receive(t, theirs); m != nil {
		t.Errorf("%T came after the end", m)
	}
	if theirs.Err() != io.EOF {
		t.Errorf("the other side ended with %v, want EOF", theirs.Err())
	}
	// What had arrived before is still read.
	if m, ok := receive(t, ours).(*Done); !ok {
		t.Errorf("%T came, want Done", m)
	}
	if m := receive(t, ours); m != nil {
		t.Errorf("%T came after the end", m)
	}
	if err := ours.Err(); !errors.Is(err, unix.EPERM) || OtherGone(err) {
		t.Errorf("our side ended with %v, want EPERM", err)
	}
}

func TestAMessageThatCannotBeEncodedEndsTheLink(t *testing.T) {
	ours, theirs := pair(t)
	fds := make([]int, maxFDs+1)
	for i := range fds {
		var err error
		if fds[i], err = unix.Dup(0); err != nil {
			t.Fatal(err)
		}
	}
	ours.Send(&Done{1}, fds...)
	ours.Send(&Begin{})
	if m := receive(t, theirs); m != nil {
		t.Errorf("%T came after the end", m)
	}
	if m := receive(t, ours); m != nil || OtherGone(ours.Err()) {
		t.Errorf("%T came, and %v is the end of our side", m, ours.Err())
	}
}

func TestCloseEndsTheTriesForWhatIsRefused(t *testing.T) {
	ours, theirs := pair(t)
	refuse(ours, slices.Repeat([]error{unix.ENOMEM}, 1000)...)
	ours.Send(&Begin{})
	ours.Close()
	if m := receive(t, theirs); m != nil { // goleak sees what is left behind
		t.Errorf("%T came", m)
	}
}

// What is on its way to the kernel is not lost from under the one who writes it.
func TestALinkCanBreakWhileItIsWrittenTo(t *testing.T) {
	ours, theirs := pair(t)
	writing, broken := make(chan struct{}), make(chan struct{})
	first := true
	ours.sendmsg = func(fd int, data, rights []byte) (int, error) {
		if first {
			first = false
			return 0, unix.ENOBUFS
		}
		close(writing)
		<-broken
		return sendmsg(fd, data, rights)
	}
	ours.Send(&Done{1})
	<-writing
	ours.Send(&Save{Data: make([]byte, MaxPayload)}) // more than there can be
	close(broken)
	if m := receive(t, theirs); m != nil {
		t.Errorf("%T came after the end", m)
	}
	if m := receive(t, ours); m != nil || OtherGone(ours.Err()) {
		t.Errorf("%T came, and %v is the end of our side", m, ours.Err())
	}
}
