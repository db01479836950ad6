"""For teachers: a course directory for nbgrader, grading a whole class, what came out of it.

``puffer class new | release | grade | report`` is all of it on the command line. The steps are nbgrader's own
(https://nbgrader.readthedocs.io), so a course can go on with ``nbgrader ...`` or in formgrader at any point.

====================  =====================================================================
:mod:`.course`        a teacher's course directory: copied from the shipped one, opened, released
:mod:`.rules`         what a course's leaderboard.toml says
:mod:`.collect`       what students handed in, into the course directory; nothing in it is trusted
:mod:`.untrusted`     how a file of a stranger is read
:mod:`.grading`       autograde and feedback, a child process for each submission; the grades
:mod:`.leaderboard`   submitted agents, played on secret seeds ...
:mod:`.judge`         ... each in a process without network
:mod:`.curves`        which trainings look alike
:mod:`.report`        one page about the class
====================  =====================================================================
"""
