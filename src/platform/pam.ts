import { koffi, library } from './native.ts'

/** The service that PAM is asked for: /etc/pam.d/netq. */
const SERVICE = 'netq'

/** From security/_pam_types.h. */
const PAM_SUCCESS = 0
const PAM_BUF_ERR = 5
const PAM_PERM_DENIED = 6
const PAM_AUTH_ERR = 7
const PAM_USER_UNKNOWN = 10
const PAM_MAXTRIES = 11
const PAM_NEW_AUTHTOK_REQD = 12
const PAM_ACCT_EXPIRED = 13
const PAM_CONV_ERR = 19
const PAM_DISALLOW_NULL_AUTHTOK = 1
/** Styles of what a module may say: a prompt for what is not to be seen, a prompt, an error, a piece of news. */
const PAM_PROMPT_ECHO_OFF = 1
const PAM_PROMPT_ECHO_ON = 2

/** The same for a wrong name and a wrong password: nobody learns which names there are. */
const WRONG = 'the user or the password is wrong'

/**
 * Checks a user's password and whether the account may be used now, as PAM is configured for the service `netq`. It
 * blocks for as long as that takes, seconds after a wrong password: for a helper process only.
 * @param folder where the services are configured, /etc/pam.d
 * @returns why not, as the rest of a sentence; undefined if the user may log in
 */
export async function logInProblem(
  user: string,
  password: string,
  folder: string,
): Promise<string | undefined> {
  const ffi = await koffi()
  const libc = await library('libc.so.6')
  const pam = await library('libpam.so.0')
  const calloc = libc.func('void *calloc(size_t count, size_t size)')
  const strdup = libc.func('void *strdup(const char *text)')
  const message = ffi.struct({ style: 'int', text: 'const char *' })
  const response = ffi.struct({ text: 'void *', code: 'int' })
  const talk = ffi.proto('int', ['int', 'void *', 'void *', 'void *'])
  const conversation = ffi.struct({ talk: ffi.pointer(talk), data: 'void *' })
  const start = pam.func('pam_start_confdir', 'int', [
    'const char *',
    'const char *',
    ffi.pointer(conversation),
    'const char *',
    ffi.out('void **'),
  ])
  const authenticate = pam.func('int pam_authenticate(void *handle, int flags)')
  const account = pam.func('int pam_acct_mgmt(void *handle, int flags)')
  const end = pam.func('int pam_end(void *handle, int status)')

  /** Answers every prompt with the password; PAM frees the answers. A prompt for anything else gets it too, and fails. */
  const answer = ffi.register((count: number, messages: bigint, responses: bigint) => {
    const answers = calloc(count, ffi.sizeof(response))
    if (answers === null) return PAM_BUF_ERR
    for (let index = 0; index < count; index++) {
      const { style } = ffi.decode(ffi.decode(messages, index * ffi.sizeof('void *'), 'void *'), message)
      if (style !== PAM_PROMPT_ECHO_OFF && style !== PAM_PROMPT_ECHO_ON) continue
      ffi.encode(answers, index * ffi.sizeof(response), response, { text: strdup(password), code: 0 })
    }
    ffi.encode(responses, 'void *', answers)
    return PAM_SUCCESS
  }, ffi.pointer(talk))
  const handle: [unknown] = [null]
  const started = start(SERVICE, user, { talk: answer, data: null }, folder, handle)
  if (started !== PAM_SUCCESS) throw new Error(`PAM cannot be asked (${started}): see ${folder}/${SERVICE}`)
  let status = PAM_CONV_ERR
  try {
    status = authenticate(handle[0], PAM_DISALLOW_NULL_AUTHTOK)
    if (status === PAM_SUCCESS) status = account(handle[0], PAM_DISALLOW_NULL_AUTHTOK)
  } finally {
    end(handle[0], status)
    ffi.unregister(answer)
  }
  return problemOf(status)
}

function problemOf(status: number): string | undefined {
  switch (status) {
    case PAM_SUCCESS:
      return undefined
    case PAM_PERM_DENIED:
    case PAM_AUTH_ERR:
    case PAM_USER_UNKNOWN:
      return WRONG
    case PAM_MAXTRIES:
      return 'there were too many attempts: try again later'
    case PAM_NEW_AUTHTOK_REQD:
      return 'the password has expired: log in on the server and change it'
    case PAM_ACCT_EXPIRED:
      return 'the account has expired'
    default:
      return `PAM refused it (${status}): the system's log says why`
  }
}
