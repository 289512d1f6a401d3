// SPDX-License-Identifier: GPL-3.0-or-later

package link

type kind uint8

// The kinds on the wire: 1 to 31 keeper to master, 32 to 63 master to keeper, 64
// to 95 between two masters, 96 to 127 between keeper and a process that looks. A
// number is never given to another message.
const (
	kindHello        kind = 1
	kindChild        kind = 2
	kindBegin        kind = 3
	kindSpawned      kind = 4
	kindSpawnFailed  kind = 5
	kindExited       kind = 6
	kindSignalled    kind = 7
	kindDone         kind = 8
	kindListener     kind = 9
	kindLead         kind = 10
	kindQuiesce      kind = 11
	kindReloadFailed kind = 12
	kindLooked       kind = 13
	kindLookFailed   kind = 14
	kindChannel      kind = 15
	kindProbed       kind = 16
	kindPing         kind = 17
	kindSignalFailed kind = 18
	kindLive         kind = 32
	kindSpawn        kind = 33
	kindSignal       kind = 34
	kindForget       kind = 35
	kindSave         kind = 36
	kindRenew        kind = 37
	kindExit         kind = 38
	kindGreet        kind = 39
	kindReload       kind = 40
	kindQuiesced     kind = 41
	kindLook         kind = 42
	kindSettings     kind = 43
	kindProbe        kind = 44
	kindPong         kind = 45
	kindClient       kind = 64
	kindLuggage      kind = 65
	kindHanded       kind = 66
	kindLookAt       kind = 96
	kindSaw          kind = 97
	kindBlind        kind = 98
)

func (*Hello) kind() kind        { return kindHello }
func (*Child) kind() kind        { return kindChild }
func (*Begin) kind() kind        { return kindBegin }
func (*Spawned) kind() kind      { return kindSpawned }
func (*SpawnFailed) kind() kind  { return kindSpawnFailed }
func (*Exited) kind() kind       { return kindExited }
func (*Signalled) kind() kind    { return kindSignalled }
func (*Done) kind() kind         { return kindDone }
func (*Listener) kind() kind     { return kindListener }
func (*Lead) kind() kind         { return kindLead }
func (*Quiesce) kind() kind      { return kindQuiesce }
func (*ReloadFailed) kind() kind { return kindReloadFailed }
func (*Looked) kind() kind       { return kindLooked }
func (*LookFailed) kind() kind   { return kindLookFailed }
func (*Channel) kind() kind      { return kindChannel }
func (*Probed) kind() kind       { return kindProbed }
func (*SignalFailed) kind() kind { return kindSignalFailed }
func (*Ping) kind() kind         { return kindPing }
func (*Pong) kind() kind         { return kindPong }
func (*Probe) kind() kind        { return kindProbe }
func (*Live) kind() kind         { return kindLive }
func (*Spawn) kind() kind        { return kindSpawn }
func (*Signal) kind() kind       { return kindSignal }
func (*Forget) kind() kind       { return kindForget }
func (*Save) kind() kind         { return kindSave }
func (*Renew) kind() kind        { return kindRenew }
func (*Exit) kind() kind         { return kindExit }
func (*Greet) kind() kind        { return kindGreet }
func (*Reload) kind() kind       { return kindReload }
func (*Quiesced) kind() kind     { return kindQuiesced }
func (*Look) kind() kind         { return kindLook }
func (*Settings) kind() kind     { return kindSettings }
func (*Client) kind() kind       { return kindClient }
func (*Luggage) kind() kind      { return kindLuggage }
func (*Handed) kind() kind       { return kindHanded }
func (*LookAt) kind() kind       { return kindLookAt }
func (*Saw) kind() kind          { return kindSaw }
func (*Blind) kind() kind        { return kindBlind }

var makers = map[kind]func() Message{
	kindHello:        func() Message { return new(Hello) },
	kindChild:        func() Message { return new(Child) },
	kindBegin:        func() Message { return new(Begin) },
	kindSpawned:      func() Message { return new(Spawned) },
	kindSpawnFailed:  func() Message { return new(SpawnFailed) },
	kindExited:       func() Message { return new(Exited) },
	kindSignalled:    func() Message { return new(Signalled) },
	kindDone:         func() Message { return new(Done) },
	kindListener:     func() Message { return new(Listener) },
	kindLead:         func() Message { return new(Lead) },
	kindQuiesce:      func() Message { return new(Quiesce) },
	kindReloadFailed: func() Message { return new(ReloadFailed) },
	kindLooked:       func() Message { return new(Looked) },
	kindLookFailed:   func() Message { return new(LookFailed) },
	kindChannel:      func() Message { return new(Channel) },
	kindProbed:       func() Message { return new(Probed) },
	kindSignalFailed: func() Message { return new(SignalFailed) },
	kindPing:         func() Message { return new(Ping) },
	kindPong:         func() Message { return new(Pong) },
	kindProbe:        func() Message { return new(Probe) },
	kindLive:         func() Message { return new(Live) },
	kindSpawn:        func() Message { return new(Spawn) },
	kindSignal:       func() Message { return new(Signal) },
	kindForget:       func() Message { return new(Forget) },
	kindSave:         func() Message { return new(Save) },
	kindRenew:        func() Message { return new(Renew) },
	kindExit:         func() Message { return new(Exit) },
	kindGreet:        func() Message { return new(Greet) },
	kindReload:       func() Message { return new(Reload) },
	kindQuiesced:     func() Message { return new(Quiesced) },
	kindLook:         func() Message { return new(Look) },
	kindSettings:     func() Message { return new(Settings) },
	kindClient:       func() Message { return new(Client) },
	kindLuggage:      func() Message { return new(Luggage) },
	kindHanded:       func() Message { return new(Handed) },
	kindLookAt:       func() Message { return new(LookAt) },
	kindSaw:          func() Message { return new(Saw) },
	kindBlind:        func() Message { return new(Blind) },
}

// newMessage is nil for a kind that this version does not know.
func newMessage(k kind) Message {
	if make := makers[k]; make != nil {
		return make()
	}
	return nil
}
