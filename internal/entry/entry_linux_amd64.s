// SPDX-License-Identifier: GPL-3.0-or-later

#include "textflag.h"

// Numbers of system calls, and of signals: signal(7).
#define RT_SIGACTION   $13
#define RT_SIGPROCMASK $14
#define SIG_BLOCK      $0
#define SIGHUP         $1
#define SIGINT         $2
#define SIGSET_SIZE    $8

// The set of USR1 (10), USR2 (12), ALRM (14), TTIN (21) and TTOU (22): for
// each its number less one is the bit.
DATA held<>+0(SB)/8, $0x302a00
GLOBL held<>(SB), RODATA|NOPTR, $8

// Two struct sigaction of the kernel: SIG_IGN and SIG_DFL.
DATA ignored<>+0(SB)/8, $1
GLOBL ignored<>(SB), RODATA|NOPTR, $32
GLOBL default<>(SB), RODATA|NOPTR, $32

// first is where the kernel begins: 0(SP) is argc, and 8(SP) argv[0]. Whatever
// fails here leaves things as they are.
TEXT ·first(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	CMPQ 0(SP), $0
	JEQ  runtime
	MOVQ 8(SP), AX
	MOVQ $0x2d6e7279686e6965, CX // "einhyrn-"
	CMPQ 0(AX), CX // more than 8 bytes follow: the environment, or the file's name
	JEQ  runtime

	MOVQ RT_SIGPROCMASK, AX
	MOVQ SIG_BLOCK, DI
	LEAQ held<>(SB), SI
	MOVQ $0, DX
	MOVQ SIGSET_SIZE, R10
	SYSCALL

	MOVQ RT_SIGACTION, AX
	MOVQ SIGHUP, DI
	LEAQ ignored<>(SB), SI
	MOVQ $0, DX
	MOVQ SIGSET_SIZE, R10
	SYSCALL

	MOVQ RT_SIGACTION, AX
	MOVQ SIGINT, DI
	LEAQ default<>(SB), SI
	MOVQ $0, DX
	MOVQ SIGSET_SIZE, R10
	SYSCALL

runtime:
	JMP _rt0_amd64_linux(SB)
