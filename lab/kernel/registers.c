/* ptrace() for user-mode Linux on processors whose registers are larger than it knows.
 *
 * User-mode Linux saves and restores its programs' registers by PTRACE_GETREGSET and
 * PTRACE_SETREGSET in a buffer that ends after AVX-512 and PKRU. The machine's kernel fills as much
 * of it as there is room for, but takes back the whole area only (EFAULT), and this is larger on
 * processors with AMX: no program starts. So what is given is completed with the area's rest as it
 * is in the process. Programs in user-mode Linux must not use AMX; they need the machine's
 * permission for it (arch_prctl), which none asks for.
 *
 * Loaded by LD_PRELOAD. User-mode Linux calls ptrace() in one thread, on small stacks.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define LARGEST_AREA 65536

static _Alignas(64) unsigned char area[LARGEST_AREA];
static long (*original)(enum __ptrace_request, ...);

__attribute__((constructor)) static void find_original(void)
{
	*(void **)&original = dlsym(RTLD_NEXT, "ptrace");
}

static long set_registers(int pid, void *set, const struct iovec *given)
{
	struct iovec whole = {area, sizeof area};

	if (original(PTRACE_GETREGSET, pid, set, &whole))
		return -1;
	if (given->iov_len > whole.iov_len)
		return original(PTRACE_SETREGSET, pid, set, given);
	memcpy(area, given->iov_base, given->iov_len);
	return original(PTRACE_SETREGSET, pid, set, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list rest;
	int pid;
	void *address, *data;

	va_start(rest, request);
	pid = va_arg(rest, int);
	address = va_arg(rest, void *);
	data = va_arg(rest, void *);
	va_end(rest);
	if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
		return set_registers(pid, address, data);
	return original(request, pid, address, data);
}
