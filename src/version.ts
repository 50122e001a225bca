/** The version of the agent, the servers and the command line, which are released as one. */
export const VERSION = '0.1.0'
