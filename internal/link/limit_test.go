// SPDX-License-Identifier: GPL-3.0-or-later

package link

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// noMoreFDs lets this process have no more descriptors than it has.
func noMoreFDs(t *testing.T) (again func()) {
	t.Helper()
	next, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next) // the lowest that is free
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = uint64(next)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}
}

// Who can have no more descriptors still hears what is said, and what is said
// after it.
func TestDescriptorsThatCannotBeHad(t *testing.T) {
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	other, err := New(theirs)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	first, second, err := Stream()
	if err != nil {
		t.Fatal(err)
	}
	fds := []int{first, second}
	for i := range fds {
		if fds[i], err = unix.FcntlInt(uintptr(fds[i]), unix.F_DUPFD_CLOEXEC, 200); err != nil {
			t.Fatal(err)
		}
	}
	unix.Close(second)
	unix.Close(first)
	again := noMoreFDs(t)
	ours.Send(&Quiesce{}, fds[0])
	quiesce := <-other.In()
	ours.Send(&Done{Through: 7})
	done := <-other.In()
	again()
	if _, ok := quiesce.Msg.(*Quiesce); !ok || len(quiesce.FDs) != 0 {
		t.Errorf("heard %T with %d descriptors, want Quiesce with none: %v", quiesce.Msg, len(quiesce.FDs), other.Err())
	}
	if m, ok := done.Msg.(*Done); !ok || m.Through != 7 {
		t.Errorf("after it heard %T", done.Msg)
	}
	ours.Send(&Quiesce{}, fds[1])
	if in := <-other.In(); len(in.FDs) != 1 {
		t.Errorf("later heard %T with %d descriptors, want one", in.Msg, len(in.FDs))
	} else {
		unix.Close(in.FDs[0])
	}
}
