/*
 * What a borrowed thread runs: it loads the library, calls the start in it, and waits for the injector to give it its own
 * registers back. It needs nobody: when no injector comes, it takes them from the signal frame that was laid for it, as a
 * return from a signal handler does. rbx: the struct call.
 */
#include "call.h"

#define SYS_RT_SIGRETURN 15
#define SYS_PPOLL 271

  .section .rodata
  .globl call_code, call_code_waits, call_code_end
  .balign 16
call_code:
  movl $1, CALL_STATE(%rbx)
  call *CALL_ERRNO_LOCATION(%rbx)
  mov %rax, %r12
  mov (%rax), %r13d
  lea CALL_LIBRARY(%rbx), %rdi
  mov CALL_FLAGS(%rbx), %esi
  call *CALL_DLOPEN(%rbx)
  mov %rax, CALL_HANDLE(%rbx)
  test %rax, %rax
  jz 1f
  mov %rax, %rdi
  lea CALL_SYMBOL(%rbx), %rsi
  call *CALL_DLSYM(%rbx)
  test %rax, %rax
  jz 2f
  lea CALL_CONFIG(%rbx), %rdi
  call *%rax
  mov %eax, CALL_RESULT(%rbx)
  jmp 2f
1:
  mov CALL_DLERROR(%rbx), %rax
  test %rax, %rax
  jz 2f
  call *%rax
  mov %rax, CALL_ERROR(%rbx)
2:
  mov %r13d, (%r12)
  movl $2, CALL_STATE(%rbx)
  /* Not nanosleep: that would take the place in which the kernel keeps how to go on with an interrupted one. */
  xor %edi, %edi
  xor %esi, %esi
  lea CALL_PATIENCE(%rbx), %rdx
  xor %r10d, %r10d
  xor %r8d, %r8d
  mov $SYS_PPOLL, %eax
  syscall
call_code_waits:
  mov CALL_FRAME(%rbx), %rsp
  mov $SYS_RT_SIGRETURN, %eax
  syscall
call_code_end:

  .section .note.GNU-stack,"",@progbits
