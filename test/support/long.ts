/** Whether this is `npm run test:long`, which has every variant; the suite has those that differ most. */
export const isLong = process.env.MEMSURGE_LONG !== undefined;
