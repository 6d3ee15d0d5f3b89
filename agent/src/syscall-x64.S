/*
 * long syscall(long number, ...)
 *
 * The calls by which a program gives up calls or address space are looked at; all others reach the true one by a jump, so
 * that even one that returns twice, or on another stack, finds everything as its caller left it.
 */
#if defined(__x86_64__)
#include <asm/unistd.h>
	.text
	.globl	syscall
	.type	syscall, @function
	.hidden	syscall_thunk
	.globl	syscall_thunk
	.type	syscall_thunk, @function
syscall:
syscall_thunk:
	.cfi_startproc
	endbr64
	cmpq	$__NR_prctl, %rdi
	je	1f
	cmpq	$__NR_seccomp, %rdi
	je	1f
	cmpq	$__NR_setrlimit, %rdi
	je	1f
	cmpq	$__NR_prlimit64, %rdi
	je	1f
	jmp	*real_syscall(%rip)
1:	jmp	syscall_hooked
	.cfi_endproc
	.size	syscall, .-syscall
	.section .note.GNU-stack,"",@progbits
#endif
