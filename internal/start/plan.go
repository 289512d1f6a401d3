// SPDX-License-Identifier: GPL-3.0-or-later

package start

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"einhyrningsins/internal/childenv"
	"einhyrningsins/internal/config"
)

// plan is all that the child does, prepared for [plan.become]. Pointers that calls
// take as numbers are in keep as well.
type plan struct {
	descriptors []call
	limits      []call
	rights      []call
	doing       []string // what a call is for, by its number

	keeper     uintptr
	report     uintptr // the descriptor, where it is at the moment
	keeperWhat byte    // what could not be done without a keeper

	score     []byte // for oom_score_adj; nil: as it is
	scoreWhat byte   // what could not be done if that fails

	place place // where there is one
	path  *byte // to execute, if not found at the place
	argv  []*byte
	env   []*byte
	pids  []*[mostDigits]byte // in env: where the child's own pid belongs

	stat  unix.Statx_t // room for the child
	said  message
	blank [4]uint64 // a struct sigaction of the kernel: SIG_DFL

	keep []any
}

// place is a [Program] in its directory, for the child.
type place struct {
	there     bool
	dir, file uintptr // descriptors
	dirID     ID
	fileID    ID
	paths     [2]*byte // by which the file may be found, seen from the directory
	script    bool
	what      byte // what could not be done if the directory cannot be gone to
}

// call is a system call.
type call struct {
	trap   uintptr
	args   [5]uintptr
	what   byte    // what it is for; 0: it may fail
	report uintptr // not 0: where it has put the report
}

// mostDigits is what a pid takes, and the zero byte behind it: they are below
// 4,194,304, proc_sys_kernel(5).
const mostDigits = 8

var (
	comm       = []byte(StepName + "\x00")
	scoreFile  = []byte("/proc/self/oom_score_adj\x00")
	whereWeAre = []byte("/proc/self/cwd\x00") // "." takes a right to search
)

func newPlan(o Orders, t *Program, argv, env []string, files []uintptr, report uintptr) (*plan, error) {
	p := &plan{doing: []string{""}, keeper: uintptr(o.Keeper)}
	if err := p.words(argv, env); err != nil {
		return nil, err
	}
	// Those of the program, then those that are closed when it is executed.
	all := slices.Clone(files)
	ours := len(all)
	for _, f := range []*os.File{t.File, t.Dir} {
		if f != nil {
			all = append(all, f.Fd())
		}
	}
	p.report = report
	p.arrange(append(all, report), ours)
	p.add(&p.descriptors, "", unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&comm[0])))

	path := t.Path
	if t.File != nil {
		path = "/proc/self/fd/" + strconv.Itoa(ours)
	}
	var err error
	if p.path, err = syscall.BytePtrFromString(path); err != nil {
		return nil, err
	}
	if t.Dir != nil {
		if err := p.programAt(t, uintptr(ours)); err != nil {
			return nil, err
		}
	}
	p.limit(o.Limits)
	if o.Limits.RunAs != nil {
		p.runAs(*o.Limits.RunAs)
	}
	if o.Limits.NoNewPrivs {
		p.add(&p.rights, "renounce new privileges", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	}
	if o.Orphan != 0 { // another user would have lost it, prctl(2)
		p.add(&p.rights, "ask for a signal at the keeper's death", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(o.Orphan))
	}
	p.keeperWhat = p.number("begin without a keeper")
	return p, nil
}

// add plans a call; what is what could not be done if it fails, and "" that it may.
func (p *plan) add(to *[]call, what string, trap uintptr, args ...uintptr) {
	c := call{trap: trap}
	copy(c.args[:], args)
	if what != "" {
		c.what = p.number(what)
	}
	*to = append(*to, c)
}

// number is what stands for it in a report.
func (p *plan) number(what string) byte {
	if i := slices.Index(p.doing, what); i > 0 {
		return byte(i)
	}
	p.doing = append(p.doing, what)
	return byte(len(p.doing) - 1)
}

// words takes arguments and environment, and leaves room for the child's pid.
func (p *plan) words(argv, env []string) (err error) {
	if p.argv, err = syscall.SlicePtrFromStrings(argv); err != nil {
		return err
	}
	env = slices.Clone(env)
	var at []int
	for i, kv := range env {
		if childenv.WantsPID(kv) {
			env[i] += strings.Repeat("0", mostDigits-1)
			at = append(at, i)
		}
	}
	if p.env, err = syscall.SlicePtrFromStrings(env); err != nil {
		return err
	}
	for _, i := range at {
		room := len(env[i]) + 1 - mostDigits
		p.pids = append(p.pids, (*[mostDigits]byte)(unsafe.Add(unsafe.Pointer(p.env[i]), room)))
	}
	return nil
}

// arrange plans to put descriptors in their places; those up to count are the program's.
// First those go out of the way that stand where others belong: to the next number
// that is neither a place nor taken. What the keeper has there is not touched, for
// the child has descriptors of its own by then. The report is the last, and nothing is
// put where it is before: what fails on the way is told.
func (p *plan) arrange(all []uintptr, count int) {
	const what = "put its descriptors in place"
	last := len(all) - 1
	move := func(i int, from, to, flags uintptr) {
		p.add(&p.descriptors, what, unix.SYS_DUP3, from, to, flags)
		if i == last {
			p.descriptors[len(p.descriptors)-1].report = to
		}
	}
	next := uintptr(len(all))
	for i, fd := range all {
		if fd >= uintptr(i) {
			continue
		}
		for slices.Contains(all, next) {
			next++
		}
		move(i, fd, next, unix.O_CLOEXEC)
		all[i] = next
	}
	for i, fd := range all {
		flags := uintptr(0)
		if i >= count {
			flags = unix.O_CLOEXEC
		}
		if to := uintptr(i); fd != to {
			move(i, fd, to, flags)
		} else if flags == 0 {
			p.add(&p.descriptors, what, unix.SYS_FCNTL, fd, unix.F_SETFD, 0)
		}
	}
	// execve(2) would close the rest; but a child that hangs before it must not hold
	// what is the keeper's. Kernels before 5.9 do not know it.
	p.add(&p.descriptors, "", unix.SYS_CLOSE_RANGE, uintptr(len(all)), 1<<32-1, 0)
}

// programAt plans how the program is found, whose file and directory have these
// descriptors.
func (p *plan) programAt(from *Program, file uintptr) error {
	p.place = place{
		there: true, file: file, dir: file + 1, dirID: from.DirID, fileID: from.FileID, script: from.Script,
		what: p.number("go to the directory " + from.Directory),
	}
	for i, path := range []string{from.Path, from.Resolved} {
		var err error
		if p.place.paths[i], err = syscall.BytePtrFromString(path); err != nil {
			return err
		}
	}
	return nil
}

// limit plans what belongs to the process, whoever it is.
func (p *plan) limit(l config.Limits) {
	if l.OOMScoreAdj != nil {
		p.score = strconv.AppendInt(nil, int64(*l.OOMScoreAdj), 10)
		p.scoreWhat = p.number(fmt.Sprintf("set the oom_score_adj %d", *l.OOMScoreAdj))
	}
	if l.Umask != nil {
		p.add(&p.limits, "", unix.SYS_UMASK, uintptr(*l.Umask))
	}
	set := func(what string, resource int, limit unix.Rlimit) {
		p.keep = append(p.keep, &limit)
		p.add(&p.limits, what, unix.SYS_PRLIMIT64, 0, uintptr(resource), uintptr(unsafe.Pointer(&limit)), 0)
	}
	if files, raised := filesOfPrograms(); raised {
		set("", unix.RLIMIT_NOFILE, files)
	}
	for _, r := range l.Rlimits {
		set(fmt.Sprintf("set the limit %s", r), resources[r.Name], unix.Rlimit{Cur: r.Soft, Max: r.Hard})
	}
}

// resources are the limits of getrlimit(2).
var resources = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
	"fsize": unix.RLIMIT_FSIZE, "locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK,
	"msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE, "nofile": unix.RLIMIT_NOFILE,
	"nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
	"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

// runAs plans to change user and groups, and with the last of them to give up
// what root may do, capabilities(7).
func (p *plan) runAs(as config.RunAs) {
	if os.Geteuid() != 0 && os.Getuid() == as.UID && os.Geteuid() == as.UID && os.Getgid() == as.GID {
		return // we are, and may not change groups
	}
	groups := make([]uint32, len(as.Groups))
	for i, g := range as.Groups {
		groups[i] = uint32(g)
	}
	p.keep = append(p.keep, groups)
	gid, uid := uintptr(as.GID), uintptr(as.UID)
	p.add(&p.rights, fmt.Sprintf("have the groups of user %d", as.UID), sysSetgroups, uintptr(len(groups)), uintptr(unsafe.Pointer(unsafe.SliceData(groups))))
	p.add(&p.rights, fmt.Sprintf("become group %d", as.GID), sysSetresgid, gid, gid, gid)
	p.add(&p.rights, fmt.Sprintf("become user %d", as.UID), sysSetresuid, uid, uid, uid)
	// Those that come along with execve(2) by themselves. Not every kernel has them.
	p.add(&p.rights, "", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL)
}
