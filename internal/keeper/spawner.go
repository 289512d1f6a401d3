// SPDX-License-Identifier: GPL-3.0-or-later

package keeper

import (
	"runtime"
	"slices"
	"time"

	"einhyrningsins/internal/claim"
	"einhyrningsins/internal/link"
	"einhyrningsins/internal/platform"
	"einhyrningsins/internal/start"
)

// job is something that the spawning thread does, in order: start a worker or
// a task, or bind the control socket anew (which sets the umask that a
// child would inherit).
type job struct {
	process  process
	serial   uint64               // of the worker, or 0
	channels channelPlan          // what that gets to speak to us by, behind its other files
	task     *task                // or nil
	renew    *claim.ControlSocket // to bind anew
}

// answer is what became of a job.
type answer struct {
	job job
	pid int
	at  time.Duration
	err error

	report *start.Report // of a process that has not reached its program yet; nil: it has

	bound    claim.Bound // of a job to renew
	channels channels    // our ends of the worker's
}

// spawner is the loop's side of the one thread that forks. Where workers have a
// niceness of their own they come from a second one, and still nothing is done
// on both at a time.
type spawner struct {
	queue    []job
	at       int // in queue, of the job that next has returned
	inFlight int // handed over and not answered: 0 or 1
	steps    int // workers that have not reached their program
	jobs     chan job
	workers  chan job // nil: jobs takes workers, too
	answers  chan answer
}

// newSpawner starts the threads. After an error workers have the niceness that
// this process has.
func newSpawner(sys system, nice *int) (spawner, error) {
	s := spawner{jobs: make(chan job), answers: make(chan answer)}
	if nice == nil {
		go s.serve(sys, s.jobs)
		return s, nil
	}
	s.workers = make(chan job)
	niced := make(chan error)
	go func() {
		runtime.LockOSThread()
		niced <- platform.NiceThread(*nice)
		s.serve(sys, s.workers)
	}()
	go s.serve(sys, s.jobs)
	return s, <-niced
}

// serve keeps its thread for ever: the signal mask that it sets, and the
// parent-death signal of children, belong to a thread.
func (s spawner) serve(sys system, jobs <-chan job) {
	runtime.LockOSThread()
	for j := range jobs {
		a := answer{job: j}
		switch {
		case j.renew != nil:
			a.bound, a.err = j.renew.Rebind()
		default:
			carryOut(sys, &a)
		}
		a.at = sys.now()
		s.answers <- a
	}
}

// carryOut starts a process, with the channels that the job says.
func carryOut(sys system, a *answer) {
	p := a.job.process
	ours, theirs, files, env, err := makeChannels(a.job.channels, p.files, p.env)
	p.files, p.env = files, env
	if err == nil {
		a.pid, a.report, err = sys.start(p)
	}
	link.CloseFDs(theirs)
	a.err, a.channels = err, ours
	if err != nil {
		ours.close()
		a.channels = nil
	}
}

func (s *spawner) want(j job) { s.queue = append(s.queue, j) }

// wantFirst is for a master, which nobody can do without.
func (s *spawner) wantFirst(j job) { s.queue = append([]job{j}, s.queue...) }

// dropWorkers takes the workers that were not begun from the queue.
func (s *spawner) dropWorkers() (dropped []job) {
	var kept []job
	for _, j := range s.queue {
		if j.serial != 0 {
			dropped = append(dropped, j)
		} else {
			kept = append(kept, j)
		}
	}
	s.queue = kept
	return dropped
}

// next returns the channel that takes the next job, and which that is; nil when
// there is none to hand over now. Nobody waits behind a worker that has to wait.
func (s *spawner) next() (chan<- job, job) {
	i := slices.IndexFunc(s.queue, func(j job) bool { return j.serial == 0 || s.steps < maxSteps })
	if i < 0 || s.inFlight > 0 {
		return nil, job{}
	}
	s.at = i
	if s.queue[i].serial == 0 || s.workers == nil {
		return s.jobs, s.queue[i]
	}
	return s.workers, s.queue[i]
}

// handedOver takes the job from the queue that next has returned.
func (s *spawner) handedOver() {
	s.queue = slices.Delete(s.queue, s.at, s.at+1)
	s.inFlight++
}

// busy tells whether a process may exist whose pid we don't know yet.
func (s *spawner) busy() bool { return s.inFlight > 0 }
