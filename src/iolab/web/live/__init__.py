"""The live view: users that send real requests to real servers, slowed so that eyes can follow."""
