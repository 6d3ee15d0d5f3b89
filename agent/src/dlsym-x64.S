/*
 * void *dlsym(void *handle, const char *name)
 *
 * What a program looks up by name in a given library is hooked too; what it looks up relative to itself (RTLD_NEXT,
 * RTLD_DEFAULT) depends on the return address, so the true dlsym is reached by a jump.
 */
#if defined(__x86_64__)
	.text
	.globl	dlsym
	.type	dlsym, @function
	.hidden	dlsym_thunk
	.globl	dlsym_thunk
	.type	dlsym_thunk, @function
dlsym:
dlsym_thunk:
	.cfi_startproc
	endbr64
	pushq	%rdi
	.cfi_adjust_cfa_offset 8
	pushq	%rsi
	.cfi_adjust_cfa_offset 8
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	dlsym_hooked
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%rsi
	.cfi_adjust_cfa_offset -8
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	testq	%rax, %rax
	jne	1f
	jmp	*real_dlsym(%rip)
1:	ret
	.cfi_endproc
	.size	dlsym, .-dlsym
	.size	dlsym_thunk, .-dlsym_thunk
	.section .note.GNU-stack,"",@progbits
#endif
